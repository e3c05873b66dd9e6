import assert from "node:assert/strict";
import { processorTime } from "../../test/fakes/testing.ts";
import { parseImageReference, RefError, type RefErrorReason } from "./reference.ts";

const SHA256 = "sha256:3fbc632167424a6d997e74f52b878d7cc478225cffac6bc977eedfe51c7f4e79";
const SHA512 = `sha512:${"0f".repeat(64)}`;

Deno.test("a reference is split and completed as Docker does it", async (t) => {
  const cases: [
    text: string,
    host: string,
    path: string,
    tag: string | undefined,
    digest?: string,
  ][] = [
    ["nginx", "docker.io", "library/nginx", "latest"],
    ["nginx:1.23.3", "docker.io", "library/nginx", "1.23.3"],
    ["docker.io/nginx", "docker.io", "library/nginx", "latest"],
    ["index.docker.io/nginx:1", "docker.io", "library/nginx", "1"],
    ["index.docker.io/bitnami/nginx:1", "docker.io", "bitnami/nginx", "1"],
    ["zarf-dev/zarf-agent:v0.22.1", "docker.io", "zarf-dev/zarf-agent", "v0.22.1"],
    ["ghcr.io/stefanprodan/podinfo:6.3.3", "ghcr.io", "stefanprodan/podinfo", "6.3.3"],
    ["localhost/myapp", "localhost", "myapp", "latest"],
    ["localhost:5000/myapp:1", "localhost:5000", "myapp", "1"],
    ["Registry/app", "Registry", "app", "latest"],
    ["[::1]:5000/a/b:t", "[::1]:5000", "a/b", "t"],
    ["oci://quay.io/crio/artifact:v1", "quay.io", "crio/artifact", "v1"],
    ["a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f", "latest"],
    [`busybox@${SHA256}`, "docker.io", "library/busybox", undefined, SHA256],
    [`busybox:1@${SHA256}`, "docker.io", "library/busybox", "1", SHA256],
    [`quay.io/a/b@${SHA512}`, "quay.io", "a/b", undefined, SHA512],
    [`quay.io/a:${"t".repeat(128)}`, "quay.io", "a", "t".repeat(128)],
    [`quay.io/${"a".repeat(255)}`, "quay.io", "a".repeat(255), "latest"],
    // With a character that no host name has it is a part of the path.
    ["under_score.example/app:1", "", "under_score.example/app", "1"],
    // A single component is never a host, whatever is in it.
    ["localhost", "docker.io", "library/localhost", "latest"],
    ["ghcr.io", "docker.io", "library/ghcr.io", "latest"],
    ["app:5000", "docker.io", "library/app", "5000"],
  ];
  for (const [text, host, path, tag, digest] of cases) {
    await t.step(text.slice(0, 60), () => {
      const reference = parseImageReference(text);
      assert.deepEqual(
        [reference.host, reference.path, reference.tag, reference.digest],
        [host, path, tag, digest],
      );
      assert.equal(reference.name, host === "" ? path : `${host}/${path}`);
      assert.equal("tag" in reference, tag !== undefined);
      assert.equal("digest" in reference, digest !== undefined);
    });
  }
});

Deno.test("the canonical text names everything and reads as the same reference", () => {
  const cases: [text: string, canonical: string][] = [
    ["nginx", "docker.io/library/nginx:latest"],
    [`busybox:1@${SHA256}`, `docker.io/library/busybox:1@${SHA256}`],
    [`busybox@${SHA256}`, `docker.io/library/busybox@${SHA256}`],
    ["oci://10.43.130.183:5000/a/b", "10.43.130.183:5000/a/b:latest"],
    ["under_score.example/a", "under_score.example/a:latest"],
  ];
  for (const [text, canonical] of cases) {
    const reference = parseImageReference(text);
    assert.equal(reference.canonical, canonical);
    assert.deepEqual(parseImageReference(canonical), reference);
  }
});

Deno.test("a text that is no reference is refused with its reason", async (t) => {
  const cases: [text: string, reason: RefErrorReason][] = [
    ["", "NotAReference"],
    ["i am not a ref at all", "NotAReference"],
    ["C:\\Users\\zarf", "UpperCaseName"],
    ["http://urls.are/not/refs", "NotAReference"],
    ["oci://", "NotAReference"],
    ["oci://oci://a/b", "NotAReference"],
    ["Nginx", "UpperCaseName"],
    ["ghcr.io/Owner/app", "UpperCaseName"],
    ["ghcr.io/", "NotAReference"],
    ["/nginx", "NotAReference"],
    ["a//b", "NotAReference"],
    ["a/../b", "NotAReference"],
    ["-a", "NotAReference"],
    ["a:", "NotAReference"],
    ["a:.tag", "NotAReference"],
    [`a:${"t".repeat(129)}`, "NotAReference"],
    ["a\n", "NotAReference"],
    ["a@sha256:abc", "NotAReference"],
    [`a@sha256:${"a".repeat(63)}`, "NotAReference"],
    [`a@${SHA256.toUpperCase()}`, "UpperCaseName"],
    [`a:t@md5:${"a".repeat(32)}`, "NotAReference"],
    [SHA256, "NotAName"],
    [SHA256.slice("sha256:".length), "NotAName"],
    [`quay.io/${"a".repeat(256)}`, "NameTooLong"],
    ["a".repeat(1 << 20), "NameTooLong"],
  ];
  for (const [text, reason] of cases) {
    await t.step(JSON.stringify(text.slice(0, 40)), () => {
      assert.throws(() => parseImageReference(text), (error) => {
        assert.ok(error instanceof RefError);
        assert.equal(error.reason, reason);
        assert.equal(error.disposition, "terminal");
        assert.ok(error.message.length < 250, "the message stays short");
        return true;
      });
    });
  }
});

Deno.test("a hostile text is answered in linear time", () => {
  const started = processorTime();
  for (const unit of ["a-", "a.", "a_", "a/", "a__", "-", "a--"]) {
    assert.throws(() => parseImageReference(unit.repeat(500).slice(0, 1000) + "!"), RefError);
  }
  assert.ok(processorTime() - started < 1_000);
});
