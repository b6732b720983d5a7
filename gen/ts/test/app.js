/** A confidential client, as a caller describes it. */
export const app = {
  hasSecret: true,
  name: "My OAuth App",
  description: "A sample OAuth application",
  redirectUri: "https://myapp.example.com/oauth/callback",
  websiteUrl: "https://myapp.example.com",
  applicationId: "app_prod_myapp",
};
