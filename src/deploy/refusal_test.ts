import assert from "node:assert/strict";
import { KubeError } from "../kube/mod.ts";
import { DeployError } from "./errors.ts";
import { explained, failedHookJob, withoutMisleading } from "./refusal.ts";

function chartFailed(message: string): DeployError {
  return new DeployError({ reason: "ChartFailed", message, disposition: "retry" });
}

Deno.test("an error of Helm gets the reason that the API server's words give", () => {
  const rows: [words: string, reason: string, disposition: string][] = [
    [
      'Secret "t" in namespace "a" exists and cannot be imported into the current release: ' +
      "invalid ownership metadata; label validation error",
      "OwnedByOther",
      "terminal",
    ],
    [
      'server-side apply failed for object q/web apps/v1, Kind=Deployment: admission webhook "d.x" ' +
      "denied the request: no",
      "ObjectRefused",
      "retry",
    ],
    [
      "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
      "ObjectRefused",
      "retry",
    ],
    ['pods "a" is forbidden: exceeded quota: q, requested: pods=1', "ObjectRefused", "retry"],
    ['pods "a" is forbidden: violates PodSecurity "baseline:latest"', "ObjectRefused", "retry"],
    [
      'Internal error occurred: failed calling webhook "w.x": Post "https://w": refused',
      "WebhookDown",
      "retry",
    ],
    [
      'secrets "a" is forbidden: unable to create new content in namespace x because it is being ' +
      "terminated",
      "NamespaceTerminating",
      "retry",
    ],
    [
      'resource mapping not found for name: "g" namespace: "" from "": no matches for kind "G" in ' +
      'version "x/v1"; ensure CRDs are installed first',
      "KindMissing",
      "retry",
    ],
    [
      'Deployment.apps "web" is invalid: spec.selector: Invalid value: {}: field is immutable',
      "ObjectInvalid",
      "terminal",
    ],
    ['Service "web" is invalid: spec.ports: Required value', "ObjectInvalid", "terminal"],
    [
      "failed pre-install: resource Job/hooks/migrate not ready. status: Failed, message: x",
      "HookFailed",
      "retry",
    ],
    ["something that nobody has seen yet", "ChartFailed", "retry"],
  ];
  for (const [words, reason, disposition] of rows) {
    const error = explained(chartFailed(`release web in namespace a: ${words}`));
    assert.deepEqual([error.reason, error.disposition], [reason, disposition], words);
    assert.match(error.message, /^release web in namespace a: /, "the words stay");
    assert.equal(error.remedy === undefined, reason === "ChartFailed", words);
  }
});

Deno.test("only what Helm or the API server refused is explained", () => {
  const words = "exceeded quota";
  const broken = new DeployError({ reason: "PackageBroken", message: words });
  assert.equal(explained(broken), broken);
  const refused = explained(new KubeError({ reason: "Forbidden", message: words }));
  assert.equal(refused.reason, "ObjectRefused");
  const forbidden = new KubeError({ reason: "Unreachable", message: "no route" });
  assert.equal(explained(forbidden), forbidden);
});

Deno.test("the Job of a failed hook is the one that Helm names", () => {
  const rows: [message: string, job: string | undefined][] = [
    ["failed pre-install: resource Job/hooks/migrate not ready. status: Failed", "migrate"],
    ["failed post-upgrade: job up-1.2 failed: BackoffLimitExceeded", "up-1.2"],
    ["failed pre-install: resource Pod/hooks/check not ready", undefined],
  ];
  for (const [message, job] of rows) assert.equal(failedHookJob(message), job, message);
});

Deno.test("what Helm says first and what misleads is left out, unless it is all it says", () => {
  assert.equal(withoutMisleading("release: not found; Secret exists"), "Secret exists");
  assert.equal(withoutMisleading("release: not found"), "release: not found");
  assert.equal(withoutMisleading("a; b"), "a; b");
});
