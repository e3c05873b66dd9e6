/**
 * What tests of certificates need: openssl's word on them.
 *
 * @module
 */

/** What openssl says about `openssl …`, run beside the certificates as ca.pem and cert.pem. */
export async function openssl(
  { ca, cert }: { readonly ca: string; readonly cert: string },
  ...args: string[]
): Promise<{ code: number; output: string }> {
  const cwd = await Deno.makeTempDir({ prefix: "holdfast-test-" });
  try {
    await Deno.writeTextFile(`${cwd}/ca.pem`, ca);
    await Deno.writeTextFile(`${cwd}/cert.pem`, cert);
    const { code, stdout, stderr } = await new Deno.Command("openssl", { args, cwd }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** `openssl verify`, as strictly as it can, for a server. */
export const VERIFY = ["verify", "-x509_strict", "-check_ss_sig", "-purpose", "sslserver"];

/** Whether there is one. */
export function hasOpenssl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
