import { Buffer } from "node:buffer";
import { type Layout, MAX_NODES, nodeIp, SERVICE_API_IP, type Subnet } from "./layout.ts";
import { run } from "./run.ts";

/** Long enough for any test, whatever the machine's clock says. */
const VALID_DAYS = "3650";
const KEY_ARGS = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** One certificate: who it is, who signs it, what for. */
interface CertificateRequest {
  readonly name: string;
  readonly subject: string;
  readonly authority: "ca" | "front-proxy-ca";
  readonly usage: string;
  readonly names?: readonly string[];
}

/** Directory of a cluster's keys and certificates. */
export function pkiDir(layout: Layout): string {
  return `${layout.state}/pki`;
}

/** Makes every key and certificate of a cluster. */
export async function createPki(layout: Layout, subnet: Subnet, nodes: number): Promise<void> {
  const directory = pkiDir(layout);
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  // Its own configuration: the system's may add extensions that contradict ours.
  await Deno.writeTextFile(`${directory}/openssl.cnf`, "[req]\ndistinguished_name=dn\n[dn]\n");
  await Promise.all([
    authority(directory, "ca"),
    authority(directory, "front-proxy-ca"),
    serviceAccountKey(directory),
  ]);
  await Promise.all(requests(subnet, nodes).map((request) => issue(directory, request)));
}

async function authority(directory: string, name: string): Promise<void> {
  await openssl(directory, name, [
    "-subj",
    `/CN=${name}`,
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
  ]);
}

async function issue(directory: string, request: CertificateRequest): Promise<void> {
  const names = request.names?.join(",");
  await openssl(directory, request.name, [
    "-CA",
    `${directory}/${request.authority}.crt`,
    "-CAkey",
    `${directory}/${request.authority}.key`,
    "-subj",
    request.subject,
    "-addext",
    "basicConstraints=CA:FALSE",
    "-addext",
    "keyUsage=critical,digitalSignature",
    "-addext",
    `extendedKeyUsage=${request.usage}`,
    ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
  ]);
}

async function openssl(directory: string, name: string, args: readonly string[]): Promise<void> {
  const output = ["-keyout", `${directory}/${name}.key`, "-out", `${directory}/${name}.crt`];
  const config = ["-config", `${directory}/openssl.cnf`, "-days", VALID_DAYS];
  await run("openssl", ["req", "-x509", ...config, ...KEY_ARGS, ...output, ...args]);
}

async function serviceAccountKey(directory: string): Promise<void> {
  const key = `${directory}/sa.key`;
  await run("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]);
  await run("openssl", ["ec", "-in", key, "-pubout", "-out", `${directory}/sa.pub`]);
}

/** The certificates that Kubernetes wants (kubernetes.io, "PKI certificates and requirements"). */
function requests(subnet: Subnet, nodes: number): CertificateRequest[] {
  const all = Array.from({ length: MAX_NODES }, (_, at) => at + 1);
  const service = "kubernetes.default.svc.cluster.local".split(".");
  const apiServerNames = [
    ...[1, 2, 3, 5].map((parts) => `DNS:${service.slice(0, parts).join(".")}`),
    "DNS:localhost",
    ...["127.0.0.1", SERVICE_API_IP, subnet.host].map((ip) => `IP:${ip}`),
    ...all.flatMap((node) => [`DNS:node${node}`, `IP:${nodeIp(subnet, node)}`]),
  ];
  const client = (name: string, subject: string): CertificateRequest => ({
    name,
    subject,
    authority: "ca",
    usage: "clientAuth",
  });
  return [
    {
      name: "apiserver",
      subject: "/CN=kube-apiserver",
      authority: "ca",
      usage: "serverAuth",
      names: apiServerNames,
    },
    client("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
    client("admin", "/O=system:masters/CN=admin"),
    client("controller-manager", "/CN=system:kube-controller-manager"),
    client("scheduler", "/CN=system:kube-scheduler"),
    client("proxy", "/CN=system:kube-proxy"),
    {
      ...client("front-proxy-client", "/CN=front-proxy-client"),
      authority: "front-proxy-ca",
    },
    ...all.slice(0, nodes).map((node): CertificateRequest => ({
      name: `node${node}`,
      subject: `/O=system:nodes/CN=system:node:node${node}`,
      authority: "ca",
      usage: "serverAuth,clientAuth",
      names: [`DNS:node${node}`, `IP:${nodeIp(subnet, node)}`, "IP:127.0.0.1"],
    })),
  ];
}

/** The text of a kubeconfig that carries `user`'s certificate. JSON, which is YAML too. */
export function kubeconfig(layout: Layout, user: string, server: string): string {
  const directory = pkiDir(layout);
  const data = (file: string) =>
    Buffer.from(Deno.readFileSync(`${directory}/${file}`)).toString("base64");
  const cluster = { server, "certificate-authority-data": data("ca.crt") };
  const credentials = {
    "client-certificate-data": data(`${user}.crt`),
    "client-key-data": data(`${user}.key`),
  };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": layout.name,
    clusters: [{ name: layout.name, cluster }],
    users: [{ name: user, user: credentials }],
    contexts: [{ name: layout.name, context: { cluster: layout.name, user } }],
  };
  return JSON.stringify(config, undefined, 2) + "\n";
}
