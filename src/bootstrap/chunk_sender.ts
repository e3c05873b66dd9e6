import { type KubeClient, KubeError, valueOfResponse } from "../kube/mod.ts";
import type { Digest } from "../std/mod.ts";
import { ZARF_NAMESPACE } from "../zarf/mod.ts";
import { CHUNK_BYTES, PAYLOAD_LABELS } from "./payload.ts";

/** On a payload ConfigMap: the digest of its bytes. */
export const DIGEST_ANNOTATION = "holdfast.dev/digest";

/** Bytes that are encoded at once; a multiple of three, so that the pieces make one text. */
const ENCODE_STEP = 48 * 1024;
/** The longest request: a chunk in base64 and what is around it. */
const BODY_BYTES = Math.ceil(CHUNK_BYTES / 3) * 4 + 4 * 1024;
/** Only metadata of what was written comes back; the whole would be as large as the request. */
const ACCEPT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PATH = `/api/v1/namespaces/${ZARF_NAMESPACE}/configmaps`;

/**
 * Writes chunks as ConfigMaps through buffers that are used again: a payload of tens of megabytes
 * must not make an agent of two hundred.
 */
export class ChunkSender {
  readonly #kube: KubeClient;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  constructor(kube: KubeClient) {
    this.#kube = kube;
  }

  /**
   * Makes the ConfigMap `name` hold `bytes`, whatever was there.
   *
   * @throws {KubeError}
   */
  async send(name: string, digest: Digest, bytes: Uint8Array): Promise<void> {
    const buffer = this.#free.pop() ?? new Uint8Array(BODY_BYTES);
    try {
      const body = encodeConfigMap(buffer, name, digest, bytes);
      try {
        await this.#write("POST", PATH, body);
      } catch (error) {
        if (!(error instanceof KubeError) || error.reason !== "AlreadyExists") throw error;
        await this.#write("PUT", `${PATH}/${name}`, body);
      }
    } finally {
      this.#free.push(buffer);
    }
  }

  async #write(method: "POST" | "PUT", path: string, body: Uint8Array): Promise<void> {
    const response = await this.#kube.request(method, path, { body, accept: ACCEPT });
    await valueOfResponse(`${method} ${path}`, response);
  }
}

/** The JSON of a chunk's ConfigMap, written into `buffer`. */
export function encodeConfigMap(
  buffer: Uint8Array<ArrayBuffer>,
  name: string,
  digest: Digest,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const metadata = {
    name,
    namespace: ZARF_NAMESPACE,
    labels: PAYLOAD_LABELS,
    annotations: { [DIGEST_ANNOTATION]: digest },
  };
  const head = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata }).slice(0, -1);
  let at = 0;
  const put = (text: string) => {
    at += encoder.encodeInto(text, buffer.subarray(at)).written;
  };
  put(`${head},"binaryData":{${JSON.stringify(name)}:"`);
  for (let from = 0; from < bytes.length; from += ENCODE_STEP) {
    put(bytes.subarray(from, from + ENCODE_STEP).toBase64());
  }
  put('"}}');
  return buffer.subarray(0, at);
}
