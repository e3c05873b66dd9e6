/** The cluster as the rules see it: where things come from, and how they are read there. */
export interface Site {
  /** Where images of pods come from: `host[:port][/prefix]` (Zarf's `registryInfo.address`). */
  readonly registryAddress: string;
  /** The registry for what runs inside the cluster; absent while nothing is known of it. */
  readonly registry?: SiteRegistry;
  /** Absent where there is none. */
  readonly gitServer?: SiteGitServer;
  /**
   * The media type of the config of the artifact that the registry holds under `image`
   * (`host/path:tag` or `host/path@digest`, as a rule has made it); `undefined` when the registry
   * does not have it or cannot be asked in time. It never throws.
   */
  readonly configMediaType: (image: string) => Promise<string | undefined>;
}

/** The in-cluster or external registry, for controllers. */
export interface SiteRegistry {
  /**
   * `zarf-docker-registry.zarf.svc.cluster.local:5000`, or the address itself where it is no Service
   * of the cluster (Zarf 0.84, src/pkg/cluster/secrets.go, GetServiceInfoFromRegistryAddress).
   */
  readonly serviceAddress: string;
  /** The same by its cluster IP and port; absent where it is no Service. */
  readonly clusterAddress?: string;
  /** Whether it runs in this cluster. */
  readonly isInternal: boolean;
  readonly pullUsername: string;
  readonly pullPassword: string;
  /** Certificate and key (PEM) of clients, where the registry asks for them (mTLS). */
  readonly clientTls?: { readonly cert: string; readonly key: string };
}

/** A git server that holds the repositories of packages. */
export interface SiteGitServer {
  /** `http(s)://host[:port][/prefix]`. */
  readonly address: string;
  /** Owner of the repositories. */
  readonly pushUsername: string;
  readonly pullUsername: string;
  readonly pullPassword: string;
}
