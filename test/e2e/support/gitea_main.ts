/*
 * What takes the place of Gitea's pod in a node: `gitea_main.ts KUBECONFIG DIRECTORY`. It listens on
 * port 3000 with the administrator that the chart has put into Secret `zarf/gitea-admin`, keeps
 * repositories below DIRECTORY, and writes what it was told to `DIRECTORY/told.json`.
 */
import { GiteaApi } from "../../fakes/gitea_peer.ts";
import { PushServer } from "../../fakes/git_push_server.ts";
import { KubeClient } from "../../../src/kube/mod.ts";

/** Milliseconds between two looks. */
const INTERVAL = 100;

const [kubeconfig = "", directory = ""] = Deno.args;
const kube = KubeClient.fromKubeconfig(kubeconfig);
const ref = { apiVersion: "v1", kind: "Secret", namespace: "zarf", name: "gitea-admin" };
for (;;) {
  const secret = await kube.get(ref);
  if (secret !== undefined) {
    const { username = "", password = "" } = secret["data"] as Record<string, string>;
    serve(atob(username), atob(password));
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, INTERVAL));
}

function serve(username: string, password: string): void {
  Deno.mkdirSync(directory, { recursive: true });
  const api = new GiteaApi(username, password);
  new PushServer(directory, username, password, {
    hostname: "0.0.0.0",
    port: 3000,
    more: async (request) => {
      const answer = await api.answer(request);
      const told = { users: [...api.users.values()], tokens: [...api.tokens] };
      Deno.writeTextFileSync(`${directory}/told.json`, JSON.stringify(told));
      return answer;
    },
  });
}
