import * as v from "valibot";
import { decodeBase64 } from "./base64.ts";

/** What clients of a registry with mTLS show and trust, PEM. */
export const ClientTlsSchema = v.object({ ca: v.string(), cert: v.string(), key: v.string() });

/** See {@linkcode ClientTlsSchema}. */
export type ClientTls = Readonly<v.InferOutput<typeof ClientTlsSchema>>;

const text = v.pipe(v.string(), v.transform(decodeBase64), v.string(), v.minLength(1));

const SecretSchema = v.object({
  data: v.object({ "ca.crt": text, "tls.crt": text, "tls.key": text }),
});

/**
 * The certificate in Secret `zarf/zarf-registry-client-tls`; undefined when something of it is
 * missing (Zarf 0.84, state.go RegistryCertFromSecretData).
 */
export function clientTlsOf(secret: unknown): ClientTls | undefined {
  const parsed = v.safeParse(SecretSchema, secret);
  if (!parsed.success) return undefined;
  const { "ca.crt": ca, "tls.crt": cert, "tls.key": key } = parsed.output.data;
  return { ca, cert, key };
}
