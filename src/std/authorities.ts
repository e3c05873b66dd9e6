/** Where distributions keep what they trust (Go, crypto/x509/root_linux.go). */
const CERTIFICATE_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The certificate authorities that this machine trusts, as PEM: those in the file that `SSL_CERT_FILE`
 * names, as with Go, or else the distribution's; none where there is no such file.
 */
export function machineCertificates(): string[] {
  const named = Deno.env.get("SSL_CERT_FILE");
  for (const file of named ? [named] : CERTIFICATE_FILES) {
    try {
      return [Deno.readTextFileSync(file)];
    } catch {
      // Another distribution's.
    }
  }
  return [];
}
