import { HoldfastError, type HttpListening, listenHttp, type ListenReason } from "../std/mod.ts";
import { WORD_PATH } from "./etcd_peers.ts";

/** Where agents on control planes listen for other machines of the site, unless it is set. */
export const PEER_PORT = 7473;

/** The listener for other machines does not listen. */
export class PeerListenerError extends HoldfastError<ListenReason> {}

type Handler = (request: Request) => Promise<Response>;

/** Who answers other machines. */
export interface PeerHandlers {
  /** Questions of control planes for this one's word. */
  readonly words?: Handler;
  /** Questions of any machine of the site for images. */
  readonly images?: Handler;
}

/** Listens for other machines of the site. @throws {PeerListenerError} */
export function servePeers(
  { words, images }: PeerHandlers,
  address: { readonly hostname: string; readonly port: number },
  signal: AbortSignal,
): HttpListening {
  const nobody = () => Promise.resolve(new Response(null, { status: 404 }));
  return listenHttp(
    (request) => {
      const isWord = new URL(request.url).pathname === WORD_PATH;
      return ((isWord ? words : images) ?? nobody)(request);
    },
    { ...address, signal, what: "the listener for peers", setting: "peer-address" },
    (parts) => new PeerListenerError({ ...parts, kept: "other machines get nothing meanwhile" }),
  );
}
