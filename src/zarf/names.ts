/** The namespace of everything that belongs to Zarf. */
export const ZARF_NAMESPACE = "zarf";
/** The Service of the in-cluster registry (facts: Zarf 0.84, packages/zarf-registry). */
export const REGISTRY_SERVICE = "zarf-docker-registry";
/** The port of that Service. */
export const REGISTRY_PORT = 5000;
/** The Secret that lets the kubelet pull; one in each namespace that Zarf deploys to. */
export const PULL_SECRET = "private-registry";
/** The Secret that lets GitOps controllers read; only where a git server is configured. */
export const GIT_SECRET = "private-git-server";
/** What clients show to a registry with mTLS; in namespace `zarf`, and beside each pull secret. */
export const CLIENT_TLS_SECRET = "zarf-registry-client-tls";
/** The Secret of the state, and the key that holds it. */
export const STATE_SECRET = "zarf-state";

/** Says who made an object. */
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
/** The value of {@linkcode MANAGED_BY_LABEL} on everything that Zarf makes. */
export const MANAGED_BY_ZARF = "zarf";
/** `mutate`, `ignore` or `skip`, on namespaces and objects. */
export const AGENT_LABEL = "zarf.dev/agent";
/** The package that an object came with. */
export const PACKAGE_LABEL = "zarf.dev/package";
/** On the Secret of a package record: the package's name. */
export const DEPLOY_INFO_LABEL = "package-deploy-info";
/** On Services that `zarf connect` offers: the name it is offered under. */
export const CONNECT_NAME_LABEL = "zarf.dev/connect-name";
/** Beside {@linkcode CONNECT_NAME_LABEL}: what the Service is. */
export const CONNECT_DESCRIPTION_ANNOTATION = "zarf.dev/connect-description";
/** Beside {@linkcode CONNECT_NAME_LABEL}: the path to open. */
export const CONNECT_URL_ANNOTATION = "zarf.dev/connect-url";
