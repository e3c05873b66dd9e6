import {
  configMap,
  container,
  definition,
  PROBE,
  service,
  type Source,
  workload,
  yaml,
} from "./sources.ts";

/** A pod that ends at once is never ready. */
const SHORT = "package: { deploy: { timeout: 15s } }\n";
const CRASH = container("exit 3", PROBE);

/** Changed, added and removed objects; a component and an entry less; an entry renamed. */
function upgrade(version: 1 | 2): Source {
  const first = version === 1;
  const web = container(undefined, {
    ...PROBE,
    env: [{ name: "VERSION", value: `${version}` }],
  });
  return {
    definition: definition("d-upgrade", `${version}.0.0`, [
      {
        name: "kept",
        manifests: [
          { name: "web", namespace: "d-upgrade", files: ["web.yaml"] },
          { name: first ? "old-name" : "new-name", namespace: "d-upgrade", files: ["named.yaml"] },
          ...(first ? [{ name: "dropped", namespace: "d-upgrade", files: ["dropped.yaml"] }] : []),
        ],
      },
      first
        ? {
          name: "removed",
          manifests: [{ name: "m", namespace: "d-upgrade", files: ["removed.yaml"] }],
        }
        : {
          name: "added",
          manifests: [{ name: "m", namespace: "d-upgrade-2", files: ["removed.yaml"] }],
        },
      { name: "same", manifests: [{ name: "same", namespace: "d-upgrade", files: ["same.yaml"] }] },
    ]),
    files: {
      "web.yaml": yaml(
        {
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name: "d-upgrade", labels: { version: `${version}` } },
        },
        workload("Deployment", "web", web, { replicas: version }),
        service("web", first ? { labels: { "zarf.dev/connect-name": "d-upgrade" } } : {}),
        configMap("changed", {
          version: `${version}`,
          ...(first ? { only: "1" } : { other: "2" }),
        }),
        configMap(first ? "first-only" : "second-only", {}),
      ),
      "named.yaml": yaml(configMap(`named-${version}`, { v: `${version}` })),
      "dropped.yaml": yaml(configMap("dropped", {})),
      "removed.yaml": yaml(configMap("removed", {})),
      "same.yaml": yaml(configMap("same", { a: "b" })),
    },
  };
}

/** An upgrade whose second release is never ready; the first one of it stays. */
function failing(version: 1 | 2): Source {
  const first = version === 1;
  const entry = (name: string) => ({ name, namespace: "d-failing", files: [`${name}.yaml`] });
  return {
    definition: definition("d-failing", `${version}.0.0`, [
      { name: "before", manifests: [entry("early")] },
      {
        name: "breaks",
        manifests: [entry("good"), entry("bad"), entry("never")],
        actions: {
          onDeploy: {
            onFailure: [{
              cmd: "./zarf tools kubectl -n d-failing create configmap failed --from-literal=a=b",
            }],
          },
        },
      },
      { name: "last", manifests: [entry("late")] },
    ]),
    ...(first ? {} : { config: SHORT, failures: 1 }),
    files: {
      "early.yaml": yaml(configMap("early", { version: `${version}` })),
      "good.yaml": yaml(configMap("good", { version: `${version}` })),
      "bad.yaml": yaml(
        workload("Deployment", "web", first ? container(undefined, PROBE) : CRASH),
        configMap("beside", { version: `${version}` }),
        ...(first ? [configMap("old", {})] : [configMap("new", {})]),
      ),
      "never.yaml": yaml(configMap("never", { version: `${version}` })),
      "late.yaml": yaml(configMap("late", { version: `${version}` })),
    },
  };
}

/** A first installation that is never ready; mended, it is the second revision. */
function firstFails(bad: boolean): Source {
  return {
    definition: definition("d-first", bad ? "1.0.0" : "1.0.1", [{
      name: "app",
      manifests: [{ name: "app", namespace: "d-first", files: ["app.yaml"] }],
    }]),
    ...(bad ? { config: SHORT, failures: 3 } : {}),
    files: {
      "app.yaml": yaml(workload("Deployment", "web", bad ? CRASH : container(undefined, PROBE))),
    },
  };
}

/** Packages that are upgraded, in this order. */
export const UPGRADE_PACKAGES: readonly Source[] = [upgrade(1), upgrade(2), failing(1), failing(2)];

/** Packages whose first installation fails, and its repair. */
export const FIRST_FAILURE: readonly Source[] = [firstFails(true), firstFails(false)];
