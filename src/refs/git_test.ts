import assert from "node:assert/strict";
import { processorTime, randomNumbers } from "../../test/fakes/testing.ts";
import {
  gitFolderName,
  gitRepositoryName,
  hostnamesMatch,
  isOciUrl,
  splitGitUrl,
  transformGitUrl,
} from "./git.ts";
import { RefError } from "./reference.ts";

const BASE = "https://gitlab.com";
const OWNER = "repo-owner";

/**
 * Zarf 0.84, src/pkg/transform/git_test.go: the URL, how it ends without a reference (as many of its
 * characters), the reference, the folder, the repository, and what follows its name at the site.
 */
const VECTORS = `
https://repo1.dso.mil/platform-one/big-bang/apps/security-tools/twistlock.git 77 - twistlock-1590638614 twistlock-97328248 .git
https://github.com/zarf-dev/zarf.git 36 - zarf-3457133088 zarf-4156197301 .git
https://ghcr.io/stefanprodan/podinfo_fasd-123.git 49 - podinfo_fasd-123-1478387306 podinfo_fasd-123-84577122 .git
git://k3d-cluster.localhost/zarf-dev/zarf-agent 47 - zarf-agent-927663661 zarf-agent-1776579160 -
http://localhost:5000/some-cool-repo 36 - some-cool-repo-1916670310 some-cool-repo-926913879 -
ssh://ghcr.io/stefanprodan/podinfo@6.0.0 34 6.0.0 podinfo-1350532569 podinfo-2985051089 -
https://stefanprodan/podinfo.git@adf0fasd10.1.223124123123-asdf 32 adf0fasd10.1.223124123123-asdf podinfo-1853010387 podinfo-2197246515 .git
https://repo1.dso.mil/platform-one/big-bang/apps/security-tools/twistlock.git@0.0.9-bb.0 77 0.0.9-bb.0 twistlock-1920149257 twistlock-97328248 .git
file:///srv/git/stefanprodan/podinfo@adf0fasd10.1.223124123123-asdf 36 adf0fasd10.1.223124123123-asdf podinfo-122075437 podinfo-1175499642 -
https://me0515@dev.azure.com/me0515/zarf-public-test/_git/zarf-public-test 74 - zarf-public-test-612413317 zarf-public-test-2170732467 -
https://me0515@dev.azure.com/me0515/zarf-public-test/_git/zarf-public-test@524980951ff16e19dc25232e9aea8fd693989ba6 74 524980951ff16e19dc25232e9aea8fd693989ba6 zarf-public-test-634307705 zarf-public-test-2170732467 -
https://github.com/zarf-dev/zarf.helm.git 41 - zarf.helm-93697844 zarf.helm-693435256 .git
https://github.com/zarf-dev/zarf.git@refs/tags/v0.16.0 36 refs/tags/v0.16.0 zarf-2360044954 zarf-4156197301 .git
https://github.com/DoD-Platform-One/big-bang.git@refs/heads/release-1.54.x 48 refs/heads/release-1.54.x big-bang-2705706079 big-bang-2366614037 .git
https://github.com/prometheus-community/helm-charts.git@kube-prometheus-stack-47.3.0 55 kube-prometheus-stack-47.3.0 helm-charts-1319967699 helm-charts-3648076006 .git
https://github.com/prometheus-community/ 39 - prometheus-community-3453166319 prometheus-community-2749132599 -
https://github.com/ 19 - -1276058275 -98306241 -
https://github.com/zarf-dev/zarf.helm.git/info/refs 41 - zarf.helm-93697844 zarf.helm-693435256 .git/info/refs
https://github.com/zarf-dev/zarf.helm.git/info/refs?service=git-upload-pack 41 - zarf.helm-93697844 zarf.helm-693435256 .git/info/refs?service=git-upload-pack
https://github.com/zarf-dev/zarf.helm.git/info/refs?service=git-receive-pack 41 - zarf.helm-93697844 zarf.helm-693435256 .git/info/refs?service=git-receive-pack
https://github.com/zarf-dev/zarf.helm.git/git-upload-pack 41 - zarf.helm-93697844 zarf.helm-693435256 .git/git-upload-pack
https://github.com/zarf-dev/zarf.helm.git/git-receive-pack 41 - zarf.helm-93697844 zarf.helm-693435256 .git/git-receive-pack
`.trim().split("\n").map((line) => {
  const [url = "", length = "", ...rest] = line.split(" ");
  const [ref = "", folder = "", repository = "", ending = ""] = rest.map((part) =>
    part === "-" ? "" : part
  );
  return { url, without: url.slice(0, Number(length)), ref, folder, repository, ending };
});

Deno.test("repositories are called as Zarf calls them, in packages and at the site", async (t) => {
  assert.equal(VECTORS.length, 22);
  for (const { url, without, ref, folder, repository, ending } of VECTORS) {
    await t.step(url, () => {
      assert.deepEqual(splitGitUrl(url), { url: without, ref });
      assert.equal(gitFolderName(url), folder);
      assert.equal(gitRepositoryName(url), repository);
      assert.equal(transformGitUrl(BASE, url, OWNER), `${BASE}/${OWNER}/${repository}${ending}`);
    });
  }
});

Deno.test("repositories that Zarf's agent tests with end at the site's server", () => {
  // Zarf 0.84, src/internal/agent/hooks/*_test.go and TestMutateGitURLsInText.
  const cases: [url: string, moved: string][] = [
    ["https://github.com/stefanprodan/podinfo.git", "podinfo-1646971829.git"],
    ["https://diff-git-server.com/peanuts", "peanuts-3883081014"],
    ["https://diff-git-server.com/podinfo", "podinfo-1868163476"],
    ["ssh://git@github.com/zarf-dev/zarf.git", "zarf-1231196790.git"],
  ];
  for (const [url, moved] of cases) {
    assert.equal(transformGitUrl(BASE, url, OWNER), `${BASE}/${OWNER}/${moved}`);
  }
});

Deno.test("the earliest match decides what is repository, reference and path", () => {
  const cases: [url: string, without: string, ref: string][] = [
    ["https://h/a/b.git/", "https://h/a/b.git", ""],
    ["https://h/a/.git", "https://h/a/.git", ""],
    ["https://h/a/b.git.git", "https://h/a/b.git.git", ""],
    ["https://h/a/b@+main", "https://h/a/b", "main"],
    ["https://h/a/b@v1/info/refs", "https://h/a/b", "v1/info/refs"],
    ["https://h/a@1/b@2", "https://h/a@1/b", "2"],
    ["https://h//", "https://h/", ""],
    // Not in Go's dot, but in JavaScript's without its flag.
    ["https://h\u2028x\r/a/b", "https://h\u2028x\r/a/b", ""],
  ];
  for (const [url, without, ref] of cases) {
    assert.deepEqual(splitGitUrl(url), { url: without, ref }, url);
  }
});

Deno.test("what is no URL of a repository is refused, with its reason and without its password", async (t) => {
  const cases = [
    "i am not a url at all",
    "C:\\Users\\zarf",
    "",
    "*",
    "https://bad-url",
    "https:///",
    "not-a-git-url",
    "git@github.com:zarf-dev/zarf.git",
    "HTTPS://github.com/zarf-dev/zarf.git",
    "https://github.com/zarf-dev/*",
    "https://github.com/zarf-dev/zarf.git?ref=v1",
    "https://github.com/zarf-dev/zarf@",
    "https://github.com/zarf-dev/zarf.git\n",
    "https://h/a\n/b",
    "https://me:secret@h/a b",
    `https://h/${"a/".repeat(2048)}b`,
  ];
  for (const url of cases) {
    await t.step(JSON.stringify(url.slice(0, 40)), () => {
      const uses = [
        splitGitUrl,
        gitFolderName,
        gitRepositoryName,
        (text: string) => transformGitUrl(BASE, text, OWNER),
      ];
      for (const use of uses) {
        assert.throws(() => use(url), (error) => {
          assert.ok(error instanceof RefError);
          assert.equal(error.reason, "NotAGitUrl");
          assert.ok(!error.message.includes("secret"), error.message);
          assert.ok(error.message.length < 150, "the message stays short");
          return true;
        });
      }
    });
  }
});

Deno.test("the moved URL is written as Go writes it", () => {
  const cases: [base: string, owner: string, url: string, moved: string][] = [
    [BASE, "a b", "https://h/a/b", "https://gitlab.com/a%20b/b-1870982647"],
    [
      "HTTP://Git.local:3000",
      OWNER,
      "https://h/a/b",
      "http://Git.local:3000/repo-owner/b-1870982647",
    ],
    [
      BASE,
      OWNER,
      "https://h/a/b/info/x y?q=ü#f g",
      `${BASE}/${OWNER}/b-1870982647/info/x%20y?q=ü#f%20g`,
    ],
    [BASE, OWNER, "https://h/a/b/info/%2f[x]", `${BASE}/${OWNER}/b-1870982647/info/%2f[x]`],
  ];
  for (const [base, owner, url, moved] of cases) {
    assert.equal(transformGitUrl(base, url, owner), moved);
  }
  for (const [base, ending] of [["http://[x]", ""], [BASE, "/info/%zz"], [BASE, "/info/\x01"]]) {
    assert.throws(() => transformGitUrl(base ?? "", `https://h/a/b${ending}`, OWNER), {
      reason: "NotAUrl",
    });
  }
});

Deno.test("hosts are compared as they are written, without port and user", () => {
  // defenseunicorns/pkg/helpers v2.0.4, url_test.go, and what hooks compare.
  const cases: [first: string, second: string, match: boolean][] = [
    ["https://zarf.dev", "https://zarf.dev", true],
    ["https://zarf.dev", "https://docs.zarf.dev", false],
    ["https://zarf.dev", "https://zarf.dev/docs", true],
    ["https://zarf.dev", "https://user:pass@zarf.dev", true],
    ["https://zarf.dev", "", false],
    ["", "https://zarf.dev", false],
    ["oci://10.11.12.13:5000", "oci://10.11.12.13/x", true],
    ["oci://[fd00::1]:5000", "oci://[fd00::1]/x", true],
    ["https://zarf.dev", "https://ZARF.dev", false],
    ["https://zarf.dev", "*", false],
    ["https://zarf.dev", "ghcr.io/org", false],
  ];
  for (const [first, second, match] of cases) {
    assert.equal(hostnamesMatch(first, second), match, `${first} ${second}`);
  }
  for (const url of ["git@github.com:a/b", "!https://a/b", "https://a b/", "https://a/%zz"]) {
    assert.throws(() => hostnamesMatch("https://zarf.dev", url), { reason: "NotAUrl" });
  }
});

Deno.test("only the scheme makes a URL one of an OCI registry", () => {
  for (const url of ["oci://zarf.dev", "OCI://ghcr.io/a", "oci:x"]) assert.ok(isOciUrl(url), url);
  for (const url of ["https://zarf.dev", "ghcr.io/oci://", "oci", "", "oci://a b", "./hello.txt"]) {
    assert.ok(!isOciUrl(url), url);
  }
});

Deno.test("the same repository has one name, whatever protocol, ending and reference", () => {
  const random = randomNumbers(20261125);
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T;
  const word = () => pick("a", "B_c", "x-1", "v.2", "repo", "9");
  for (let run = 0; run < 1000; run++) {
    const path = `${pick("h", "git.example:8080", "u@h")}/${word()}${pick("", `/${word()}`)}`;
    const name = gitRepositoryName(`https://${path}`);
    const ref = pick("", "@v1", "@refs/heads/main", "@+x");
    const git = pick("", ".git");
    const url = `${pick("http", "ssh", "git")}://${path}${git}${pick("", "/")}${ref}`;
    assert.equal(gitRepositoryName(url), name, url);
    assert.equal(transformGitUrl(BASE, url, OWNER), `${BASE}/${OWNER}/${name}${git}`, url);
    assert.equal(splitGitUrl(url).ref, ref.replace(/^@\+?/, ""), url);
    assert.equal(splitGitUrl(splitGitUrl(url).url).url, splitGitUrl(url).url);
    assert.notEqual(gitRepositoryName(`https://other/${path}`), name);
  }
});

Deno.test("a hostile URL is answered in linear time", () => {
  const units = [
    "a",
    "/",
    "a/",
    "@",
    "@a",
    "a@/",
    "/@",
    "/info/",
    "@+/info/",
    ".git",
    ".git/@",
    "%41",
  ];
  const started = processorTime();
  for (const unit of units) {
    for (const end of ["!", "/info/\t", "\\"]) {
      const url = `https://${unit.repeat(4096)}`.slice(0, 4090) + end;
      try {
        gitRepositoryName(url);
      } catch (error) {
        assert.ok(error instanceof RefError);
      }
    }
  }
  const took = processorTime() - started;
  assert.ok(took < 1_000, `${took} ms`);
});
