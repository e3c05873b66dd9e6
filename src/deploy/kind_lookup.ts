import {
  type CallOptions,
  type KubeClient,
  KubeError,
  type ObjectRef,
  type ServedKind,
  servedKinds,
} from "../kube/mod.ts";

/**
 * Whether the cluster has the kind of an object that is not there, and in which version. Zarf knows
 * objects by group and kind (Zarf 0.84, src/internal/healthchecks): where the cluster does not have the
 * reference's version, the one that it prefers is meant.
 *
 * @returns the reference to ask for, or why the object cannot be there; undefined when the server does
 * not say which kinds it has.
 */
export async function lookUpKind(
  kube: KubeClient,
  ref: ObjectRef,
  call: CallOptions,
): Promise<ObjectRef | string | undefined> {
  const served = await kindsOf(kube, call);
  if (served === undefined) return undefined;
  const { apiVersion, kind } = ref;
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const found = served.filter((one) => one.kind === kind && one.group === group);
  const [preferred] = found;
  if (preferred === undefined) {
    return `the cluster has no kind ${kind} in ${group === "" ? apiVersion : group}`;
  }
  if (found.some((one) => one.version === apiVersion.slice(slash + 1))) return ref;
  return {
    ...ref,
    apiVersion: group === "" ? preferred.version : `${group}/${preferred.version}`,
  };
}

async function kindsOf(
  kube: KubeClient,
  call: CallOptions,
): Promise<readonly ServedKind[] | undefined> {
  try {
    return await servedKinds(kube, call);
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}
