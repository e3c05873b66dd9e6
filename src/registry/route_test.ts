import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { RequestError } from "./errors.ts";
import { hostsOf, requireDigest, requireTag } from "./names.ts";
import { routeOf } from "./route.ts";

const DIGEST = digestOf("x");

function at(path: string): URL {
  return new URL(`http://127.0.0.1${path}`);
}

function refused(action: () => unknown, code: string): void {
  assert.throws(action, (error) => error instanceof RequestError && error.code === code);
}

for (
  const [path, expected] of [
    ["/v2/", { kind: "base" }],
    ["/v2", { kind: "base" }],
    ["/v2/_catalog", { kind: "catalog" }],
    ["/v2/a/tags/list", { kind: "tags", name: "a" }],
    ["/v2/a/b/manifests/1", { kind: "manifests", name: "a/b", reference: "1" }],
    ["/v2/manifests/manifests/1", { kind: "manifests", name: "manifests", reference: "1" }],
    ["/v2/tags/list/tags/list", { kind: "tags", name: "tags/list" }],
    [`/v2/a/blobs/${DIGEST}`, { kind: "blobs", name: "a", reference: DIGEST }],
    [
      `/v2/a/blobs/${encodeURIComponent(DIGEST)}`,
      { kind: "blobs", name: "a", reference: DIGEST },
    ],
    [`/v2/a/referrers/${DIGEST}`, { kind: "referrers", name: "a", reference: DIGEST }],
    ["/v2/a/blobs/uploads/", { kind: "uploads", name: "a" }],
    ["/v2/a/blobs/uploads/some-id", { kind: "uploads", name: "a" }],
    ["/v2/a__b.c--d/e_f/tags/list", { kind: "tags", name: "a__b.c--d/e_f" }],
  ] as const
) {
  Deno.test(`the path ${path} is ${expected.kind}`, () => {
    assert.deepEqual(routeOf(at(path)), expected);
  });
}

for (
  const [path, code] of [
    ["/", "NAME_UNKNOWN"],
    ["/v1/", "NAME_UNKNOWN"],
    ["/v2/a", "NAME_UNKNOWN"],
    ["/v2/a/manifests/", "NAME_UNKNOWN"],
    ["/v2/a/tags", "NAME_UNKNOWN"],
    ["/v2/A/manifests/1", "NAME_INVALID"],
    ["/v2/a//b/manifests/1", "NAME_INVALID"],
    ["/v2/-a/manifests/1", "NAME_INVALID"],
    ["/v2/a___b/manifests/1", "NAME_INVALID"],
    ["/v2/a%2F..%2Fb/manifests/1", "NAME_INVALID"],
    ["/v2/%zz/manifests/1", "NAME_INVALID"],
    [`/v2/${"a".repeat(256)}/manifests/1`, "NAME_INVALID"],
    [`/v2/${"a/".repeat(2000)}a/manifests/1`, "NAME_INVALID"],
  ] as const
) {
  Deno.test(`the path ${path.slice(0, 40)} is refused as ${code}`, () => {
    refused(() => routeOf(at(path)), code);
  });
}

for (
  const [text, code] of [
    ["sha256:" + "A".repeat(64), "DIGEST_INVALID"],
    ["sha256:" + "0".repeat(63), "DIGEST_INVALID"],
    ["sha256:..", "DIGEST_INVALID"],
    ["sha256:", "DIGEST_INVALID"],
    ["nonsense", "DIGEST_INVALID"],
    ["sha512:" + "0".repeat(64), "DIGEST_INVALID"],
    ["sha512:" + "0".repeat(128), "BLOB_UNKNOWN"],
    ["blake3:" + "0".repeat(64), "BLOB_UNKNOWN"],
  ] as const
) {
  Deno.test(`the digest ${text.slice(0, 20)}… of ${text.length} letters is ${code}`, () => {
    refused(() => requireDigest(text, "BLOB_UNKNOWN"), code);
  });
}

Deno.test("a well-formed digest and well-formed tags are taken as they are", () => {
  assert.equal(requireDigest(DIGEST, "BLOB_UNKNOWN"), DIGEST);
  for (const tag of ["1", "_a", "v1.2-rc_3", "1.27-zarf-3892838293", "a".repeat(128)]) {
    assert.equal(requireTag(tag), tag);
  }
});

for (const tag of ["", ".a", "-a", "a b", "a/b", "ä", "a".repeat(129)]) {
  Deno.test(`the tag "${tag.slice(0, 10)}" of ${tag.length} letters is refused`, () => {
    refused(() => requireTag(tag), "TAG_INVALID");
  });
}

for (
  const [query, expected] of [
    ["", [undefined]],
    ["?ns=", [undefined]],
    ["?ns=docker.io", ["docker.io"]],
    ["?ns=index.docker.io", ["index.docker.io", "docker.io"]],
    ["?ns=registry-1.docker.io", ["registry-1.docker.io", "docker.io"]],
    ["?ns=Docker.IO", ["Docker.IO", "docker.io"]],
    ["?ns=Registry-1.Docker.io", ["Registry-1.Docker.io", "registry-1.docker.io", "docker.io"]],
    ["?ns=quay.io", ["quay.io"]],
    ["?ns=Registry.Example", ["Registry.Example", "registry.example"]],
    ["?ns=localhost%3A5000", ["localhost:5000"]],
    ["?ns=registry.example:5000", ["registry.example:5000"]],
    ["?ns=%5Bfd00%3A%3A1%5D%3A5000", ["[fd00::1]:5000"]],
    [`?ns=${"a.".repeat(126)}a:65535`, [`${"a.".repeat(126)}a:65535`]],
    ["?ns=quay.io&ns=ghcr.io", ["quay.io"]],
  ] as const
) {
  Deno.test(`the query "${query.slice(0, 40)}" names the hosts ${expected.join(" ")}`, () => {
    assert.deepEqual(hostsOf(at(`/v2/${query}`)), expected);
  });
}

Deno.test("a host that is none is refused", () => {
  const long = "a.".repeat(130) + "a";
  for (const ns of ["a/b", "a b", "-a", "a-", "a..b", ":5000", "a:port", "fd00::1", "[]", long]) {
    refused(() => hostsOf(at(`/v2/?ns=${encodeURIComponent(ns)}`)), "NAME_INVALID");
  }
});
