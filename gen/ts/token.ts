import type { Interceptor, Transport } from "@connectrpc/connect";

/**
 * An access token, or a function that returns one. The function is called
 * before every call, so it should remember the token until it expires; if it
 * fails, the call does, and nothing is sent.
 */
export type Token = string | (() => string | Promise<string>);

/** Makes a transport, as `createConnectTransport` of `@connectrpc/connect-web` does. */
export type TransportFactory = (options: { baseUrl: string; interceptors: Interceptor[] }) => Transport;

/** Sends the token with every call, for a transport that you make yourself. */
export function bearer(token: Token): Interceptor {
  return (next) => async (request) => {
    await authorise(request.header, token);
    return next(request);
  };
}

/** Does as {@link bearer} for a transport that is made already and takes no more interceptors. */
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
