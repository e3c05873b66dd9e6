import { rawChartName } from "../../../../src/deploy/mod.ts";
import type { Difference } from "./compare.ts";

/** A difference that is meant; docs/zarf-differences.md says why. */
export interface NamedDifference {
  /** As that page calls it. */
  readonly name: string;
  applies(difference: Difference): boolean;
}

const RELEASE = /^Secret v1 [^ ]+\/sh\.helm\.release\.v1\./;
const RECORD = /^Secret v1 zarf\/zarf-package-/;
const PULL_SECRET = /^Secret v1 [^ ]+\/private-registry$/;

/** The release that no version of its package changes. */
const SAME = rawChartName("d-upgrade", "same", "same").release;
/** The release whose second revision is never ready. */
const BAD = rawChartName("d-failing", "breaks", "bad").release;

/** Everything that Holdfast leaves otherwise than the real zarf. */
export const NAMED_DIFFERENCES: readonly NamedDifference[] = [
  {
    name: "field manager",
    applies: ({ object, path }) =>
      path.startsWith("metadata/managedFields") &&
      [/^Namespace /, RECORD, PULL_SECRET, RELEASE].some((pattern) => pattern.test(object)),
  },
  {
    name: "annotation of the post-renderer",
    applies: ({ object, path, zarf, holdfast }) =>
      object.startsWith("Namespace ") && path.startsWith("metadata/annotations") &&
      holdfast === undefined && /zarf-\d+\/manifests/.test(JSON.stringify(zarf)),
  },
  {
    name: "names of templates",
    applies: ({ object, path, zarf, holdfast }) =>
      RELEASE.test(object) && /\/(name|source)$/.test(path) &&
      /\/zarf-\d+\/(manifests\/|chart\.yaml$)/.test(String(zarf)) &&
      /^$|templates\/manifest-\d+\.yaml$/.test(String(holdfast)),
  },
  {
    name: "line ends",
    applies: ({ object, path, zarf, holdfast }) =>
      RELEASE.test(object) && /^data\/release\/chart\/templates\/\d+\/text$/.test(path) &&
      String(holdfast).replaceAll("\r\n", "\n") === zarf,
  },
  {
    name: "why it failed",
    applies: ({ object, path, zarf }) =>
      RELEASE.test(object) && path === "data/release/info/description" &&
      /^(Release|Upgrade) ".*" failed: /.test(String(zarf)),
  },
  {
    name: "earlier failures",
    applies: ({ object, path, zarf, holdfast }) =>
      RELEASE.test(object) && /^(metadata\/labels|data\/release\/info)\/status$/.test(path) &&
      holdfast === "superseded" &&
      // Helm's upgrade waits on beside Zarf's deadline: when it gives up, it writes the revision from
      // before as it knew it, now and then after the rollback (action/upgrade.go, recordRelease).
      (zarf === "failed" || zarf === "deployed" && object.endsWith(`.${BAD}.v1`)),
  },
  {
    name: "nothing to change",
    applies: ({ object, path, zarf, holdfast }) =>
      object.includes(` d-upgrade/sh.helm.release.v1.${SAME}.`) &&
      (path === ""
        ? holdfast === undefined
        : path.endsWith("/status") && zarf === "superseded" && holdfast === "deployed"),
  },
  {
    name: "leading dot",
    applies: ({ object, path }) =>
      object.includes(" d-hooks/") &&
      /^data\/(count|release\/(config\/(deep\/count)?|manifest\/\d+\/object\/data\/count))$/.test(
        path,
      ),
  },
  {
    name: "addresses of the registry",
    applies: ({ object, path, zarf }) =>
      PULL_SECRET.test(object) && path.startsWith("data/.dockerconfigjson/") && zarf === undefined,
  },
  {
    name: "digest",
    applies: ({ object, path }) => RECORD.test(object) && path === "data/data/digest",
  },
  {
    name: "names of files",
    applies: ({ object, path }) =>
      RECORD.test(object) &&
      /^data\/data\/data\/components\/[^/]+\/manifests\/\d+\/files\/\d+$/.test(path),
  },
  {
    name: "what was not chosen",
    applies: ({ object, path, zarf }) =>
      RECORD.test(object) && /^data\/data\/data\/components\/[^/]+$/.test(path) &&
      zarf === undefined,
  },
  {
    name: "what is still there",
    applies: ({ object, path, zarf }) =>
      RECORD.test(object) && zarf === undefined &&
      /^data\/data\/deployedComponents\/\d+(\/installedCharts\/[^/]+)?$/.test(path),
  },
  {
    name: "attempts",
    applies: ({ object, path }) =>
      object === "Secret v1 zarf/zarf-package-d-first" &&
      /^data\/data\/(generation|deployedComponents\/0\/observedGeneration)$/.test(path),
  },
  {
    name: "packages without a cluster",
    applies: ({ object, zarf }) =>
      object === "Secret v1 zarf/zarf-package-d-local" && zarf === undefined,
  },
];
