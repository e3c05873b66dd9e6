/**
 * The machine below: Talos' own API, on machined's socket. It promises typed answers or a
 * {@linkcode TalosError}, in bounded time and memory, with no library for gRPC (none works on a unix
 * socket under Deno).
 *
 * @module
 */
export * from "./client.ts";
export * from "./errors.ts";
export type { ImageStore, TalosImage } from "./images.ts";
export {
  CONTROL_PLANE_ENDPOINTS,
  DISCOVERED_MEMBERS,
  type ResourceEvent,
  type ResourceRef,
  RESOURCES,
  type TalosResource,
} from "./resources.ts";
export { type CallOptions, MACHINE_SOCKET } from "./transport.ts";
