import assert from "node:assert/strict";
import { protocolVersion, routeOf } from "./route.ts";

Deno.test("paths of git's smart HTTP protocol are read, and no others", () => {
  const [user, name] = ["zarf-git-user", "repo.x-123"];
  const rows: [path: string, expected: Record<string, unknown>][] = [
    ["/zarf-git-user/repo.x-123/info/refs?service=git-upload-pack", {
      ...{ kind: "info", user, name, service: "git-upload-pack" },
    }],
    ["/zarf-git-user/repo.x-123.git/info/refs", { kind: "info", user, name }],
    ["/zarf-git-user/repo.x-123.git/git-upload-pack", {
      ...{ kind: "rpc", user, name, service: "git-upload-pack" },
    }],
    ["/zarf-git-user/repo.x-123/git-receive-pack", {
      ...{ kind: "rpc", user, name, service: "git-receive-pack" },
    }],
    ["/zarf-git-user/-123/git-upload-pack", {
      ...{ kind: "rpc", user, name: "-123", service: "git-upload-pack" },
    }],
    ...[
      "/",
      "/zarf-git-user",
      "/zarf-git-user/repo/HEAD",
      "/zarf-git-user/repo/objects/info/packs",
      "/zarf-git-user/a/repo/info/refs",
      "/zarf-git-user/../../etc/info/refs",
      "/zarf-git-user/a%2f..%2fb/info/refs",
      "/zarf-git-user/a%00/info/refs",
      "//info/refs",
      `/u/${"a".repeat(300)}/info/refs`,
    ].map((path): [string, Record<string, unknown>] => [path, { kind: "other" }]),
  ];
  for (const [path, expected] of rows) {
    assert.deepEqual({ ...routeOf(new URL(`http://x${path}`)) }, expected, path);
  }
});

Deno.test("the highest version that a client can do is taken", () => {
  const rows: [header: string, version: number][] = [
    ["", 0],
    ["version=0", 0],
    ["version=1", 1],
    ["version=2", 2],
    ["version=1:version=2", 2],
    ["version=2:version=1:x=y", 2],
    ["version=3", 0],
    ["version=2; rm -rf /", 0],
    [":::", 0],
  ];
  for (const [header, version] of rows) assert.equal(protocolVersion(header), version, header);
});
