{{- /* The labels of every object. The lines of Helm alone are left out where manifests/ is rendered. */ -}}
{{- define "studio-operator.labels" -}}
app.kubernetes.io/name: studio-operator
app.kubernetes.io/part-of: studio-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* They never change: a Deployment's selector cannot. One release per namespace, so that its name is not needed. */ -}}
{{- define "studio-operator.selector" -}}
app.kubernetes.io/name: studio-operator
app.kubernetes.io/component: operator
{{- end }}

{{- /* The full reference of an image: (list $ "keycloak"). */ -}}
{{- define "studio-operator.image" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $images := $root.Values.images -}}
{{- $registry := ternary (printf "%s/" $images.registry) "" (ne $images.registry "") -}}
{{- default (printf "%sstudio-%s:%s" $registry $name (default $root.Chart.AppVersion $images.tag)) (index $images.override $name) -}}
{{- end }}

{{- define "studio-operator.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: studio-operator
    namespace: {{ .Release.Namespace }}
{{- end }}
