import type { Interceptor, Transport } from "@connectrpc/connect";

/**
 * An access token, or a function that returns one. The function runs before every
 * call, so it should keep the token until it expires. If the function fails, the
 * call fails and nothing is sent.
 */
export type Token = string | (() => string | Promise<string>);

/** Creates a transport, as `createConnectTransport` of `@connectrpc/connect-web` does. */
export type TransportFactory = (options: { baseUrl: string; interceptors: Interceptor[] }) => Transport;

/** Returns an interceptor that sends the token with every call, for your own transport. */
export function bearer(token: Token): Interceptor {
  return (next) => async (request) => {
    await authorise(request.header, token);
    return next(request);
  };
}

/** Does the same as {@link bearer} for an existing transport, which takes no more interceptors. */
export function authorised(transport: Transport, token: Token): Transport {
  return {
    unary: async (method, signal, timeoutMs, header, ...rest) =>
      transport.unary(method, signal, timeoutMs, await authorise(new Headers(header), token), ...rest),
    stream: async (method, signal, timeoutMs, header, ...rest) =>
      transport.stream(method, signal, timeoutMs, await authorise(new Headers(header), token), ...rest),
  };
}

async function authorise(header: Headers, token: Token): Promise<Headers> {
  header.set("Authorization", `Bearer ${typeof token === "string" ? token : await token()}`);
  return header;
}
