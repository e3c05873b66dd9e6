import { SITE_CONFIG } from "../../../src/cli/mod.ts";

/** A change to an example, and what is said of it. */
export interface Broken {
  /** In the words of a failure. */
  readonly what: string;
  /** The example that is changed; a node's, or one that is added to a worker's. */
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
  readonly says: RegExp;
}

/** Those that Talos refuses; what is said is of Talos. */
export const REFUSED: readonly Broken[] = [
  {
    what: "an unknown kind",
    file: "worker",
    from: "kind: UserVolumeConfig",
    to: "kind: UserVolume",
    says: /"UserVolume" "v1alpha1": not registered/,
  },
  {
    what: "an unknown version",
    file: "worker",
    from: "apiVersion: v1alpha1\nkind: ExtensionServiceConfig",
    to: "apiVersion: v1\nkind: ExtensionServiceConfig",
    says: /"ExtensionServiceConfig" "v1": not registered/,
  },
  {
    what: "no kind",
    file: "media",
    from: "kind: ExistingVolumeConfig\n",
    to: "",
    says: /unknown keys found during decoding:\napiVersion/,
  },
  {
    what: "an unknown field of a document",
    file: "worker",
    from: "configFiles:",
    to: "files:",
    says: /unknown keys found during decoding:\nfiles/,
  },
  {
    what: "an unknown field of the machine",
    file: "worker",
    from: "extraMounts:",
    to: "mounts:",
    says: /unknown keys found during decoding:\nmachine:\n +kubelet:\n +mounts/,
  },
  {
    what: "a mount that is no list",
    file: "worker",
    from: /extraMounts:\n[^]*ro\]/,
    to: "extraMounts: /var/lib/holdfast",
    says: /cannot construct !!str `\/var\/li\.\.\.` into \[\]v1alpha1\.ExtraMount/,
  },
  { what: "no YAML", file: "worker", from: "machine:", to: "\tmachine:", says: /found character/ },
  {
    what: "a document twice",
    file: "mirror",
    from: "name: quay.io",
    to: "name: ghcr.io",
    says: /duplicate document v1alpha1\/RegistryMirrorConfig\/ghcr\.io is not allowed/,
  },
  {
    what: "a service without a name",
    file: "worker",
    from: "kind: ExtensionServiceConfig\nname: holdfast\n",
    to: "kind: ExtensionServiceConfig\n",
    says: /name is required/,
  },
  {
    what: "a file without a place",
    file: "worker",
    from: /- mountPath: .*\n {4}content/,
    to: "- content",
    says: /extension mount path is required for extension "holdfast"/,
  },
  {
    what: "a file without content",
    file: "trust-keys",
    from: /content: \|\n( {6}.*\n)*/,
    to: 'content: ""\n',
    says: /extension content is required for extension "holdfast"/,
  },
  {
    what: "a service that is told nothing",
    file: "worker",
    from: /configFiles:\n[^]*$/,
    to: "",
    says: /no config files found for extension "holdfast"/,
  },
  {
    what: "a mirror that is no address of a registry",
    file: "mirror",
    from: "url: http://",
    to: "url: oci://",
    says: /endpoints\[0\]\.url has unsupported scheme: "oci"/,
  },
  {
    what: "a mirror without a scheme",
    file: "mirror",
    from: "url: http://127",
    to: "url: 127",
    says: /first path segment in URL cannot contain colon/,
  },
  {
    what: "a port that is no number",
    file: "mirror",
    from: ":31999",
    to: ":registry",
    says: /invalid port ":registry" after host/,
  },
  {
    what: "a mirror without an address",
    file: "mirror",
    from: "- url: http://127.0.0.1:31999",
    to: "- overridePath: false",
    says: /endpoints\[0\]\.url must be specified/,
  },
  {
    what: "a volume's name that no file system has",
    file: "worker",
    from: "kind: UserVolumeConfig\nname: holdfast",
    to: "kind: UserVolumeConfig\nname: hold/fast",
    says: /name can only contain lowercase and uppercase ASCII letters, digits, and hyphens/,
  },
  {
    what: "a directory with a size",
    file: "worker",
    from: "volumeType: directory",
    to: "volumeType: directory\nprovisioning:\n  minSize: 1GiB",
    says: /provisioning spec is invalid for volumeType directory/,
  },
  {
    what: "a directory with mount options",
    file: "worker",
    from: "volumeType: directory",
    to: "volumeType: directory\nmount:\n  secure: false",
    says: /mount spec is invalid for volumeType directory/,
  },
  {
    what: "a volume of an unknown type",
    file: "worker",
    from: "volumeType: directory",
    to: "volumeType: folder",
    says: /folder does not belong to VolumeType values/,
  },
  {
    what: "a stick that is no expression",
    file: "media",
    from: '== "HOLDFAST"',
    to: "is HOLDFAST",
    says: /Syntax error/,
  },
  {
    what: "a stick by what a volume has not",
    file: "media",
    from: "volume.label",
    to: "volume.colour",
    says: /undefined field 'colour'/,
  },
  {
    what: "a stick by nothing",
    file: "media",
    from: /discovery:\n.*\n.*\n/,
    to: "",
    says: /volume selector is required/,
  },
  {
    what: "a stick with the drop directory's name",
    file: "media",
    from: "name: holdfast-media",
    to: "name: holdfast",
    says: /conflicting documents/,
  },
  {
    what: "a file system that Talos does not make",
    file: "drop-disk",
    from: "type: xfs",
    to: "type: ntfs",
    says: /ntfs does not belong to FilesystemType values/,
  },
  {
    what: "a disk without a size",
    file: "drop-disk",
    from: / +minSize: .*\n +grow: true\n/,
    to: "",
    says: /min size or max size is required/,
  },
  {
    what: "a time server and a clock at once",
    file: "disconnected",
    from: "\nenabled: false",
    to: "\nntp: {servers: [192.0.2.10]}\nptp: {devices: [/dev/ptp0]}",
    says: /only one of ntp or ptp configuration can be specified/,
  },
  {
    what: "a time that is none",
    file: "disconnected",
    from: "\nenabled: false",
    to: "\nbootTimeout: soon",
    says: /cannot construct !!str `soon` into time\.Duration/,
  },
  {
    what: "time that is switched off in two places",
    file: "disconnected",
    from: "cluster:",
    to: "machine:\n  time:\n    disabled: true\ncluster:",
    says: /time sync cannot be disabled in both/,
  },
];

/** Those that Talos takes, and that would not do what they are meant to. */
export const OVERSEEN: readonly Broken[] = [
  {
    what: "another service",
    file: "worker",
    from: "kind: ExtensionServiceConfig\nname: holdfast",
    to: "kind: ExtensionServiceConfig\nname: ext-holdfast",
    says: /no document is for the service holdfast/,
  },
  {
    what: "settings where nobody reads them",
    file: "worker",
    from: SITE_CONFIG,
    to: "/etc/holdfast/agent.yaml",
    says: /nothing is mounted at/,
  },
  {
    what: "a setting that the agent does not know",
    file: "worker",
    from: "data-dir:",
    to: "datadir:",
    says: /unknown setting "datadir"/,
  },
  {
    what: "a value that the agent does not take",
    file: "worker",
    from: "image-mode: rewrite",
    to: "image-mode: rewritten",
    says: /image-mode "rewritten"/,
  },
  {
    what: "a drop directory that no volume is",
    file: "worker",
    from: "- /var/mnt/holdfast\n",
    to: "- /var/drop\n",
    says: /no package is looked for in \/var\/mnt\/holdfast/,
  },
  {
    what: "only sticks to drop on",
    file: "worker",
    from: /kind: UserVolumeConfig\nname: holdfast\nvolumeType: directory/,
    to: "kind: ExistingVolumeConfig\nname: holdfast\nmount: {readOnly: true}\n" +
      "discovery: {volumeSelector: {match: 'volume.label == \"X\"'}}",
    says: /no drop directory is a volume/,
  },
  {
    what: "a data directory that the kubelet does not see",
    file: "worker",
    from: "source: /var/lib/holdfast",
    to: "source: /var/lib/other",
    says: /the kubelet does not see \/var\/lib\/holdfast/,
  },
  {
    what: "another port",
    file: "mirror",
    from: ":31999",
    to: ":5000",
    says: /images of \* are asked of http:\/\/127\.0\.0\.1:5000/,
  },
  {
    what: "a path that is taken as it is",
    file: "mirror",
    from: "- url: http://127.0.0.1:31999",
    to: "- url: http://127.0.0.1:31999\n    overridePath: true",
    says: /images of \* are asked for without \/v2\//,
  },
  {
    what: "a way out",
    file: "mirror",
    from: "skipFallback: true",
    to: "skipFallback: false",
    says: /images of \* are looked for outside, too/,
  },
  {
    what: "the mode without the mirror",
    file: "worker",
    from: "image-mode: rewrite",
    to: "image-mode: mirror",
    says: /the image mode is mirror, and there is no mirror/,
  },
  {
    what: "a key that is elsewhere",
    file: "trust-keys",
    from: "HOLDFAST_TRUST_KEY=/usr/local",
    to: "HOLDFAST_TRUST_KEY=",
    says: /the key \/etc\/holdfast\/cosign\.pub is not mounted/,
  },
];
