import assert from "node:assert/strict";
import { isPackageName, isPassedOver } from "./names.ts";

const passedOver: readonly [string, boolean][] = [
  [".Trash-1000", true],
  [".web.tar.zst.Xy12", true],
  [".web.tar.zst", true],
  ["System Volume Information", true],
  ["lost+found", true],
  ["$RECYCLE.BIN", true],
  ["packages", false],
  ["web.tar.zst", false],
];

for (const [name, expected] of passedOver) {
  Deno.test(`${name} is ${expected ? "" : "not "}passed over`, () => {
    assert.equal(isPassedOver(name), expected);
  });
}

const top = undefined;
const packages: readonly [string, string | undefined, boolean][] = [
  ["web.tar.zst", top, true],
  ["web.tar", top, true],
  ["zarf-init-amd64-v0.84.0.tar.zst", top, true],
  ["web.tar.gz", top, false],
  ["web.tar.zst.status.json", top, false],
  ["web.tar.zst.config.yaml", top, false],
  ["web.tar.zst.config.toml", top, false],
  ["readme.txt", top, false],
  ["web.tar.zst", "stick", false],
  ["sboms.tar", "stick", false],
  ["zarf-package-web-amd64-1.0.0.tar.zst", "stick", true],
  ["zarf-package-web-amd64-1.0.0.tar", "stick", true],
  ["zarf-init-amd64-v0.84.0.tar.zst", "stick", true],
  ["zarf-package-web-amd64-1.0.0.zip", "stick", false],
  ["old-zarf-package-web.tar.zst", "stick", false],
  ["zarf-packages.tar", "stick", false],
  ["zarf-package-web.tar", "components", false],
  ["zarf-package-web.tar.zst", "components", true],
];

for (const [name, folder, expected] of packages) {
  const where = folder === undefined ? "the drop directory" : `the folder ${folder}`;
  Deno.test(`${name} in ${where} is ${expected ? "a" : "no"} package`, () => {
    assert.equal(isPackageName(name, folder), expected);
  });
}
