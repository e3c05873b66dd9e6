/** Where an API server is and how to be let in. */
export interface ClusterAccess {
  /** `https://host:port[/prefix]` without a slash at the end. */
  readonly server: string;
  /** PEM; added to the certificates that the runtime trusts. */
  readonly ca?: string;
  /** PEM certificate and key of the client. */
  readonly cert?: string;
  readonly key?: string;
  /** A bearer token, or the file that holds a changing one. A token wins over a file. */
  readonly token?: string;
  readonly tokenFile?: string;
}
