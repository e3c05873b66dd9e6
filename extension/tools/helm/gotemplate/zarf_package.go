package gotemplate

import "fmt"

// The package as templates see it in `.Pkg`: Go's names of the fields, in their
// order (Zarf 0.84, src/api/v1alpha1/package.go and component.go, Apache-2.0).
// A map would not do: toYaml follows the tags, and what a package does not give
// must be there and empty.

type zarfPackage struct {
	APIVersion    string                `json:"apiVersion,omitempty"`
	Kind          string                `json:"kind"`
	Metadata      ZarfMetadata          `json:"metadata,omitempty"`
	Build         ZarfBuildData         `json:"build,omitempty"`
	Components    []ZarfComponent       `json:"components"`
	Constants     []Constant            `json:"constants,omitempty"`
	Variables     []InteractiveVariable `json:"variables,omitempty"`
	Values        ZarfValues            `json:"values,omitempty"`
	Documentation map[string]string     `json:"documentation,omitempty"`
}

type Variable struct {
	Name       string `json:"name"`
	Sensitive  bool   `json:"sensitive,omitempty"`
	AutoIndent bool   `json:"autoIndent,omitempty"`
	Pattern    string `json:"pattern,omitempty"`
	Type       string `json:"type,omitempty"`
}

type InteractiveVariable struct {
	Variable    `json:",inline"`
	Description string `json:"description,omitempty"`
	Default     string `json:"default,omitempty"`
	Prompt      bool   `json:"prompt,omitempty"`
}

type Constant struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	AutoIndent  bool   `json:"autoIndent,omitempty"`
	Pattern     string `json:"pattern,omitempty"`
}

type SetValue struct {
	Key   string `json:"key,omitempty"`
	Value any    `json:"value,omitempty"`
	Type  string `json:"type,omitempty"`
}

type ZarfMetadata struct {
	Name                   string            `json:"name"`
	Description            string            `json:"description,omitempty"`
	Version                string            `json:"version,omitempty"`
	URL                    string            `json:"url,omitempty"`
	Image                  string            `json:"image,omitempty"`
	Uncompressed           bool              `json:"uncompressed,omitempty"`
	Architecture           string            `json:"architecture,omitempty"`
	YOLO                   bool              `json:"yolo,omitempty"`
	Authors                string            `json:"authors,omitempty"`
	Documentation          string            `json:"documentation,omitempty"`
	Source                 string            `json:"source,omitempty"`
	Vendor                 string            `json:"vendor,omitempty"`
	AggregateChecksum      string            `json:"aggregateChecksum,omitempty"`
	Annotations            map[string]string `json:"annotations,omitempty"`
	AllowNamespaceOverride *bool             `json:"allowNamespaceOverride,omitempty"`
}

type ZarfBuildData struct {
	Terminal                   string               `json:"terminal,omitempty"`
	User                       string               `json:"user,omitempty"`
	Architecture               string               `json:"architecture"`
	Timestamp                  string               `json:"timestamp"`
	Version                    string               `json:"version"`
	Migrations                 []string             `json:"migrations,omitempty"`
	RegistryOverrides          map[string]string    `json:"registryOverrides,omitempty"`
	Differential               bool                 `json:"differential,omitempty"`
	DifferentialPackageVersion string               `json:"differentialPackageVersion,omitempty"`
	DifferentialMissing        []string             `json:"differentialMissing,omitempty"`
	Flavor                     string               `json:"flavor,omitempty"`
	Signed                     *bool                `json:"signed,omitempty"`
	VersionRequirements        []VersionRequirement `json:"versionRequirements,omitempty"`
	ProvenanceFiles            []string             `json:"provenanceFiles,omitempty"`
}

type ZarfValues struct {
	Files  []string `json:"files,omitempty"`
	Schema string   `json:"schema,omitempty"`
}

type VersionRequirement struct {
	Version string `json:"version"`
	Reason  string `json:"reason,omitempty"`
}

type ZarfComponent struct {
	Name              string                          `json:"name"`
	Description       string                          `json:"description,omitempty"`
	Default           bool                            `json:"default,omitempty"`
	Required          *bool                           `json:"required,omitempty"`
	Only              ZarfComponentOnlyTarget         `json:"only,omitempty"`
	DeprecatedGroup   string                          `json:"group,omitempty"`
	Import            ZarfComponentImport             `json:"import,omitempty"`
	Manifests         []ZarfManifest                  `json:"manifests,omitempty"`
	Charts            []ZarfChart                     `json:"charts,omitempty"`
	DataInjections    []ZarfDataInjection             `json:"dataInjections,omitempty"`
	Files             []ZarfFile                      `json:"files,omitempty"`
	Images            []string                        `json:"images,omitempty"`
	ImageArchives     []ImageArchive                  `json:"imageArchives,omitempty"`
	Repos             []string                        `json:"repos,omitempty"`
	DeprecatedScripts DeprecatedZarfComponentScripts  `json:"scripts,omitempty"`
	Actions           ZarfComponentActions            `json:"actions,omitempty"`
	HealthChecks      []NamespacedObjectKindReference `json:"healthChecks,omitempty"`
	StateAccess       []string                        `json:"stateAccess,omitempty"`
}

type ImageArchive struct {
	Path   string   `json:"path"`
	Images []string `json:"images"`
}

type NamespacedObjectKindReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

type ZarfComponentOnlyTarget struct {
	LocalOS string                   `json:"localOS,omitempty"`
	Cluster ZarfComponentOnlyCluster `json:"cluster,omitempty"`
	Flavor  string                   `json:"flavor,omitempty"`
}

type ZarfComponentOnlyCluster struct {
	Architecture string   `json:"architecture,omitempty"`
	Distros      []string `json:"distros,omitempty"`
}

type ZarfFile struct {
	Source      string   `json:"source"`
	Shasum      string   `json:"shasum,omitempty"`
	Target      string   `json:"target"`
	Executable  bool     `json:"executable,omitempty"`
	Symlinks    []string `json:"symlinks,omitempty"`
	ExtractPath string   `json:"extractPath,omitempty"`
	Template    *bool    `json:"template,omitempty"`
}

type ZarfChart struct {
	Name                 string              `json:"name"`
	Version              string              `json:"version,omitempty"`
	URL                  string              `json:"url,omitempty"`
	RepoName             string              `json:"repoName,omitempty"`
	GitPath              string              `json:"gitPath,omitempty"`
	LocalPath            string              `json:"localPath,omitempty"`
	Namespace            string              `json:"namespace,omitempty"`
	ReleaseName          string              `json:"releaseName,omitempty"`
	NoWait               bool                `json:"noWait,omitempty"`
	ValuesFiles          []string            `json:"valuesFiles,omitempty"`
	TemplatedValuesFiles []string            `json:"templatedValuesFiles,omitempty"`
	Variables            []ZarfChartVariable `json:"variables,omitempty"`
	Values               []ZarfChartValue    `json:"values,omitempty"`
	SchemaValidation     *bool               `json:"schemaValidation,omitempty"`
	ServerSideApply      string              `json:"serverSideApply,omitempty"`
}

type ZarfChartVariable struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Path        string `json:"path"`
}

type ZarfChartValue struct {
	SourcePath   string   `json:"sourcePath"`
	TargetPath   string   `json:"targetPath"`
	ExcludePaths []string `json:"excludePaths,omitempty"`
}

type ZarfManifest struct {
	Name                       string   `json:"name"`
	Namespace                  string   `json:"namespace,omitempty"`
	Files                      []string `json:"files,omitempty"`
	KustomizeAllowAnyDirectory bool     `json:"kustomizeAllowAnyDirectory,omitempty"`
	Kustomizations             []string `json:"kustomizations,omitempty"`
	EnableKustomizePlugins     bool     `json:"enableKustomizePlugins,omitempty"`
	NoWait                     bool     `json:"noWait,omitempty"`
	ServerSideApply            string   `json:"serverSideApply,omitempty"`
	Template                   *bool    `json:"template,omitempty"`
}

type DeprecatedZarfComponentScripts struct {
	ShowOutput     bool     `json:"showOutput,omitempty"`
	TimeoutSeconds int      `json:"timeoutSeconds,omitempty"`
	Retry          bool     `json:"retry,omitempty"`
	Prepare        []string `json:"prepare,omitempty"`
	Before         []string `json:"before,omitempty"`
	After          []string `json:"after,omitempty"`
}

type ZarfComponentActions struct {
	OnCreate ZarfComponentActionSet `json:"onCreate,omitempty"`
	OnDeploy ZarfComponentActionSet `json:"onDeploy,omitempty"`
	OnRemove ZarfComponentActionSet `json:"onRemove,omitempty"`
}

type ZarfComponentActionSet struct {
	Defaults  ZarfComponentActionDefaults `json:"defaults,omitempty"`
	Before    []ZarfComponentAction       `json:"before,omitempty"`
	After     []ZarfComponentAction       `json:"after,omitempty"`
	OnSuccess []ZarfComponentAction       `json:"onSuccess,omitempty"`
	OnFailure []ZarfComponentAction       `json:"onFailure,omitempty"`
}

type ZarfComponentActionDefaults struct {
	Mute            bool     `json:"mute,omitempty"`
	MaxTotalSeconds int      `json:"maxTotalSeconds,omitempty"`
	MaxRetries      int      `json:"maxRetries,omitempty"`
	Dir             string   `json:"dir,omitempty"`
	Env             []string `json:"env,omitempty"`
	Shell           Shell    `json:"shell,omitempty"`
}

type ZarfComponentAction struct {
	Mute                  *bool                    `json:"mute,omitempty"`
	MaxTotalSeconds       *int                     `json:"maxTotalSeconds,omitempty"`
	MaxRetries            *int                     `json:"maxRetries,omitempty"`
	Dir                   *string                  `json:"dir,omitempty"`
	Env                   []string                 `json:"env,omitempty"`
	Cmd                   string                   `json:"cmd,omitempty"`
	Shell                 *Shell                   `json:"shell,omitempty"`
	DeprecatedSetVariable string                   `json:"setVariable,omitempty"`
	SetVariables          []Variable               `json:"setVariables,omitempty"`
	SetValues             []SetValue               `json:"setValues,omitempty"`
	Description           string                   `json:"description,omitempty"`
	Wait                  *ZarfComponentActionWait `json:"wait,omitempty"`
	Template              *bool                    `json:"template,omitempty"`
}

type ZarfComponentActionWait struct {
	Cluster *ZarfComponentActionWaitCluster `json:"cluster,omitempty"`
	Network *ZarfComponentActionWaitNetwork `json:"network,omitempty"`
}

type ZarfComponentActionWaitCluster struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Condition string `json:"condition,omitempty"`
}

type ZarfComponentActionWaitNetwork struct {
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
	Code     int    `json:"code,omitempty"`
}

type ZarfContainerTarget struct {
	Namespace string `json:"namespace"`
	Selector  string `json:"selector"`
	Container string `json:"container"`
	Path      string `json:"path"`
}

type ZarfDataInjection struct {
	Source   string              `json:"source"`
	Target   ZarfContainerTarget `json:"target"`
	Compress bool                `json:"compress,omitempty"`
}

type ZarfComponentImport struct {
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
	URL  string `json:"url,omitempty"`
}

type Shell struct {
	Windows string `json:"windows,omitempty"`
	Linux   string `json:"linux,omitempty"`
	Darwin  string `json:"darwin,omitempty"`
}

// What templates may ask of it.

func (pkg zarfPackage) IsInitConfig() bool {
	return pkg.Kind == "ZarfInitConfig"
}

func (pkg zarfPackage) GetComponent(name string) (ZarfComponent, error) {
	for _, component := range pkg.Components {
		if component.Name == name {
			return component, nil
		}
	}
	return ZarfComponent{}, fmt.Errorf("no component named %q in package %q", name, pkg.Metadata.Name)
}

func (pkg zarfPackage) HasImages() bool {
	for _, component := range pkg.Components {
		if len(component.Images) > 0 || len(component.ImageArchives) > 0 {
			return true
		}
	}
	return false
}

func (pkg zarfPackage) IsSBOMAble() bool {
	for _, c := range pkg.Components {
		if len(c.ImageArchives) > 0 || len(c.Images) > 0 || len(c.Files) > 0 || len(c.DataInjections) > 0 {
			return true
		}
	}
	return false
}

func (pkg zarfPackage) AllowsNamespaceOverride() bool {
	if pkg.Metadata.AllowNamespaceOverride != nil {
		return *pkg.Metadata.AllowNamespaceOverride
	}
	return true
}

func (c ZarfComponent) RequiresCluster() bool {
	return len(c.Images)+len(c.ImageArchives)+len(c.Charts)+len(c.Manifests)+len(c.Repos)+
		len(c.DataInjections)+len(c.HealthChecks) > 0
}

func (c ZarfComponent) IsRequired() bool {
	if c.Required != nil {
		return *c.Required
	}
	return false
}

func (c ZarfComponent) GetImages() []string {
	images := append([]string{}, c.Images...)
	for _, archive := range c.ImageArchives {
		images = append(images, archive.Images...)
	}
	return images
}

func (f ZarfFile) IsTemplate() bool {
	if f.Template != nil {
		return *f.Template
	}
	return false
}

func (zc ZarfChart) ShouldRunSchemaValidation() bool {
	if zc.SchemaValidation != nil {
		return *zc.SchemaValidation
	}
	return true
}

func (zc ZarfChart) GetServerSideApply() string {
	if zc.ServerSideApply == "" {
		return "auto"
	}
	return zc.ServerSideApply
}

func (m ZarfManifest) GetServerSideApply() string {
	if m.ServerSideApply == "" {
		return "auto"
	}
	return m.ServerSideApply
}

func (m ZarfManifest) IsTemplate() bool {
	if m.Template != nil {
		return *m.Template
	}
	return false
}

func (a ZarfComponentAction) ShouldTemplate() bool {
	if a.Template != nil {
		return *a.Template
	}
	return false
}
