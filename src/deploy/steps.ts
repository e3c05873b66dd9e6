/** The journal's names of a deployment's steps, which its plan has, too. */
export const STEPS = {
  images: "images",
  component: (component: string) => `component/${component}`,
  files: (component: string) => `component/${component}/files`,
  repository: (component: string, name: string) => `component/${component}/repository/${name}`,
  release: (component: string, namespace: string, release: string) =>
    `component/${component}/release/${namespace}/${release}`,
  injection: (component: string, index: number) => `injection/${component}/${index}`,
} as const;
