/**
 * Objects as the API server sends them to rules of admission, and what comes of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import type {
  AdmissionRequest,
  Rule,
  Site,
  SiteGitServer,
  SiteRegistry,
} from "../../src/admission/mod.ts";
import { applyPatch } from "./json_patch.ts";

/** The git server of Zarf's own tests of its agent. */
export const GIT_SERVER: SiteGitServer = {
  address: "https://git-server.com",
  pushUsername: "a-push-user",
  pullUsername: "a-pull-user",
  pullPassword: "a-pull-password",
};

/** A registry outside of the cluster, as in Zarf's own tests. */
export const OUTER_REGISTRY: SiteRegistry = {
  serviceAddress: "127.0.0.1:31999",
  isInternal: false,
  pullUsername: "registry-pull-user",
  pullPassword: "registry-pull-password",
};

/** The registry of the cluster, as in Zarf's own tests. */
export const INNER_REGISTRY: SiteRegistry = {
  ...OUTER_REGISTRY,
  serviceAddress: "zarf-docker-registry.zarf.svc.cluster.local:5000",
  clusterAddress: "10.11.12.13:5000",
  isInternal: true,
};

/** A registry that asks clients for a certificate. */
export const TLS_REGISTRY: SiteRegistry = {
  ...INNER_REGISTRY,
  clientTls: { cert: "zarf-registry-client-tls-crt", key: "zarf-registry-client-tls-key" },
};

/** A site with these parts; its registry answers nothing. */
export function siteOf(parts: Partial<Site>): Site {
  return {
    registryAddress: "127.0.0.1:31999",
    configMediaType: () => Promise.resolve(undefined),
    ...parts,
  };
}

/** The question of the API server about a new object, unless `rest` says otherwise. */
export function questionOf(
  kind: string,
  object: unknown,
  rest: Partial<AdmissionRequest> = {},
): AdmissionRequest {
  return { uid: "u", kind: { kind }, operation: "CREATE", subResource: "", object, ...rest };
}

/** What became of an object that was admitted. */
export interface Admitted {
  /** The object as it would be stored. */
  readonly stored: Record<string, unknown>;
  /** The paths that were changed. */
  readonly paths: readonly string[];
  readonly warnings: readonly string[];
}

/** Admits an object; fails when it is denied. */
export async function admit(
  rule: Rule,
  object: unknown,
  site: Site,
  rest: Partial<AdmissionRequest> = {},
): Promise<Admitted> {
  const verdict = await rule.judge(questionOf(rule.kind, object, rest), site);
  assert.ok(verdict.allowed, "message" in verdict ? verdict.message : "");
  return {
    stored: applyPatch(object, verdict.patch) as Record<string, unknown>,
    paths: verdict.patch.map(({ path }) => path),
    warnings: verdict.warnings ?? [],
  };
}

/** One of Zarf's own tests: an object, and the members that Zarf's agent sets in it. */
export interface ZarfCase {
  readonly object: Record<string, unknown>;
  readonly site: Site;
  /** @default "CREATE" */
  readonly operation?: "CREATE" | "UPDATE";
  /** By their paths; none when nothing is patched. */
  readonly zarf: Readonly<Record<string, unknown>>;
}

/**
 * Checks that an object is stored as Zarf's agent would have it stored, and that the result stays as it
 * is: created, updated, deleted, of another subresource or opted out.
 */
export async function assertAsZarf(rule: Rule, one: ZarfCase): Promise<void> {
  const { object, site, operation = "CREATE", zarf } = one;
  const { stored, warnings } = await admit(rule, object, site, { operation, oldObject: object });
  assert.deepEqual(stored, applyLeniently(object, zarf));
  assert.deepEqual(warnings, []);
  const stays: [unknown, Partial<AdmissionRequest>][] = [
    [stored, { operation: "CREATE" }],
    [stored, { operation: "UPDATE", oldObject: stored }],
    [stored, { operation: "UPDATE", oldObject: object }],
    [object, { operation: "DELETE" }],
    [object, { subResource: "status", operation: "UPDATE", oldObject: object }],
    [optedOut(object, "ignore"), {}],
    [optedOut(object, "skip"), {}],
  ];
  for (const [each, rest] of stays) {
    assert.deepEqual((await admit(rule, each, site, rest)).paths, [], JSON.stringify(rest));
  }
}

function optedOut(object: Record<string, unknown>, answer: string): unknown {
  const metadata = object["metadata"] as Record<string, unknown>;
  return { ...object, metadata: { ...metadata, labels: { "zarf.dev/agent": answer } } };
}

/** As evanphx/json-patch v4 in the API server: a member that is absent can be replaced. */
function applyLeniently(object: unknown, members: Readonly<Record<string, unknown>>): unknown {
  const steps = Object.entries(members).map(([path, value]) => ({
    op: /\/[0-9]+$/.test(path) ? "replace" : "add",
    path,
    value,
  }));
  return applyPatch(object, steps);
}
