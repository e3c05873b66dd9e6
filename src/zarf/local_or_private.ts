/**
 * Whether a host is reached without the public network: this machine, a private address, `.local`
 * (Zarf 0.84, src/internal/dns/dns.go IsLocalOrPrivate).
 *
 * @param host with or without a port, an IPv6 address in brackets.
 */
export function isLocalOrPrivate(host: string): boolean {
  const [, bracketed, plain = ""] = /^(?:\[(.+)\]|([^:]*))(?::\d+)?$/.exec(host) ?? [];
  const name = (bracketed ?? plain).toLowerCase();
  if (bracketed !== undefined) return /^(?:::1$|f[cd][0-9a-f]{2}:)/.test(name);
  if (/^\d+(?:\.\d+){3}$/.test(name)) {
    return /^(?:127|10)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\./.test(name);
  }
  return name === "localhost" || /\.local(?:host)?$/.test(name);
}
