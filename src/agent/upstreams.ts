import type { SeedFollower, SeedRegistry } from "../bootstrap/mod.ts";
import { parseImageReference, zarfTag } from "../refs/mod.ts";
import {
  type FetchedManifest,
  httpUpstream,
  RegistryError,
  type Upstream,
} from "../registry/mod.ts";
import { type Clock, isDigest, retry, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";

/**
 * How long a pull of the seed image is made to wait while this node puts it together, in
 * milliseconds: less than containerd's 30 s for the first byte. A refusal would cost the kubelet's
 * back-off of ten seconds and more.
 */
const ASSEMBLY_WAIT = 20_000;
/** The largest manifest, in bytes; as the distribution specification asks for. */
const MAX_MANIFEST = 4 * 1024 * 1024;

/** The seed image while it is being assembled: waits for it, then looks in the store. */
export function assemblingUpstream(
  store: Store,
  follower: () => SeedFollower | undefined,
): Upstream {
  return {
    name: "payload",
    async manifest(repository, reference, ns, signal) {
      await timeLimited(follower()?.settled(repository, reference), signal);
      return storedManifest(store, repository, reference, ns);
    },
    blob: () => Promise.resolve(undefined),
  };
}

/** A manifest of the store, by tag (of one host, if `ns` says which) or digest. */
export function storedManifest(
  store: Store,
  repository: string,
  reference: string,
  ns?: string,
): FetchedManifest | undefined {
  const resolved = isDigest(reference)
    ? { digest: reference, mediaType: store.records.manifest(reference)?.mediaType ?? "" }
    : store.records.resolveTag(repository, reference, ns);
  const bytes = resolved && store.blobs.read(resolved.digest, MAX_MANIFEST);
  return resolved === undefined || bytes === undefined || resolved.mediaType === ""
    ? undefined
    : { ...resolved, bytes };
}

async function timeLimited(work: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (work === undefined) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ASSEMBLY_WAIT);
  signal.addEventListener("abort", () => resolve(), { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The in-cluster registry, as far as it is known; it names images as Zarf does. */
export function clusterUpstream(facts: ClusterFacts): Upstream {
  return httpUpstream({
    name: "cluster",
    baseUrl: () => facts.current.registry?.url,
    credentials: () => facts.current.registry,
    tagFor: (repository, tag, ns) =>
      zarfTag(parseImageReference(`${ns}/${repository}:${tag}`)) ?? tag,
  });
}

/** How often a registry that fails is asked, and the longest pause between, in milliseconds. */
const ATTEMPTS = 6;
const LONGEST_PAUSE = 1_000;

/**
 * The same upstream, asked again for some seconds when it fails: the registry may be starting anew or
 * be replaced, and a refusal would cost the kubelet's back-off. What it takes to time out is not
 * waited for twice.
 */
export function patient(upstream: Upstream, clock: Clock = systemClock): Upstream {
  const again = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    retry(ask, {
      ...{ attempts: ATTEMPTS, max: LONGEST_PAUSE, signal, clock },
      retryable: (error) => error instanceof RegistryError && error.reason === "UpstreamFailed",
    });
  return {
    name: upstream.name,
    manifest: (repository, reference, ns, signal) =>
      again(() => upstream.manifest(repository, reference, ns, signal), signal),
    blob: (repository, digest, signal) =>
      again(() => upstream.blob(repository, digest, signal), signal),
  };
}

/** An upstream of which it is known whether it answers. */
export interface WatchedUpstream extends Upstream {
  /** Whether the last question was answered, if only that there is no such thing. */
  readonly answers: boolean;
}

/** The same upstream, of which it is known whether it answers. It does not before it was asked. */
export function watchedUpstream(upstream: Upstream): WatchedUpstream {
  let answers = false;
  const watch = async <T>(asking: Promise<T>): Promise<T> => {
    try {
      const answer = await asking;
      answers = true;
      return answer;
    } catch (error) {
      answers = false;
      throw error;
    }
  };
  return {
    name: upstream.name,
    get answers() {
      return answers;
    },
    manifest: (repository, reference, ns, signal) =>
      watch(upstream.manifest(repository, reference, ns, signal)),
    blob: (repository, digest, signal) => watch(upstream.blob(repository, digest, signal)),
  };
}

/** How long a manifest or the start of a blob of the seed image may take, in milliseconds. */
const SEED_TIMEOUT = 60_000;

/** The same registry, for fetching its own image to a node that joined late. */
export function seedRegistry(upstream: Upstream, facts: ClusterFacts): SeedRegistry | undefined {
  if (facts.current.registry === undefined) return undefined;
  return {
    manifest: (repository, reference) =>
      upstream.manifest(repository, reference, undefined, AbortSignal.timeout(SEED_TIMEOUT)),
    blob: async (repository, digest) =>
      (await upstream.blob(repository, digest, AbortSignal.timeout(SEED_TIMEOUT)))?.body,
  };
}
