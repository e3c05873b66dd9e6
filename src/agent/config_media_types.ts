import * as v from "valibot";
import type { Upstream } from "../registry/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ClusterFacts, Facts } from "./cluster_facts.ts";
import { clusterUpstream, storedManifest } from "./upstreams.ts";

/** How long the in-cluster registry may take to answer, in milliseconds: an API call waits for it. */
const ANSWER_TIMEOUT = 1_000;

const ManifestSchema = v.object({ config: v.object({ mediaType: v.string() }) });

/** An image, as the registry knows it. */
interface Question {
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
}

/**
 * What kind of artifact an image is, by the media type of its config. Nothing is remembered: tags
 * move. Who asks the same while there is no answer yet gets the same answer.
 */
export class ConfigMediaTypes {
  readonly #store: Store;
  readonly #facts: ClusterFacts;
  readonly #upstream: Upstream;
  readonly #asked = new Map<string, Promise<string | undefined>>();

  constructor(store: Store, facts: ClusterFacts) {
    this.#store = store;
    this.#facts = facts;
    this.#upstream = clusterUpstream(facts);
  }

  /**
   * Looks in the store, then in the in-cluster registry. Undefined when it is in neither, is an index
   * or cannot be learned in time; it never throws. A registry outside the cluster is not asked.
   *
   * @param image as a rule has made it: `host[/prefix]/path:tag` or `…@digest`
   */
  of(image: string): Promise<string | undefined> {
    const asked = this.#asked.get(image);
    if (asked !== undefined) return asked;
    const answer = this.#find(image).catch(() => undefined)
      .finally(() => this.#asked.delete(image));
    this.#asked.set(image, answer);
    return answer;
  }

  async #find(image: string): Promise<string | undefined> {
    const question = questionOf(image, this.#facts.current);
    if (question === undefined) return undefined;
    const { repository, reference } = question;
    const manifest = storedManifest(this.#store, repository, reference) ??
      await this.#upstream.manifest(
        repository,
        reference,
        undefined,
        AbortSignal.timeout(ANSWER_TIMEOUT),
      );
    if (manifest === undefined) return undefined;
    const parsed = v.safeParse(
      ManifestSchema,
      JSON.parse(new TextDecoder().decode(manifest.bytes)),
    );
    return parsed.success ? parsed.output.config.mediaType : undefined;
  }
}

/** What to ask for; undefined when the image is not of this cluster's registry. */
function questionOf(image: string, { access }: Facts): Question | undefined {
  const { serviceAddress, clusterAddress } = access?.registry ?? {};
  const host = [access?.registryAddress, serviceAddress, clusterAddress]
    .find((one) => one !== undefined && one !== "" && image.startsWith(`${one}/`));
  if (host === undefined) return undefined;
  const [, repository, tag, digest] = /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/
    .exec(image.slice(host.length + 1)) ?? [];
  const reference = digest ?? tag;
  return repository === undefined || reference === undefined
    ? undefined
    : { repository, reference };
}
