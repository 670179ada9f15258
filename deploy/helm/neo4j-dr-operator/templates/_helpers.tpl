{{- define "operator.base" -}}
{{ .Values.fullnameOverride | default "neo4j-operator" }}
{{- end }}

{{- define "operator.name" -}}
{{ include "operator.base" . }}-controller-manager
{{- end }}

{{- define "operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "operator.name" .) }}
{{- else -}}
{{ required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: neo4j-dr-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: neo4j-dr-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "operator.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Rights over the resources it serves: in every namespace, or in the one it watches. docs/install.md says why. */}}
{{- define "operator.rules" -}}
- apiGroups: [neo4j.neo4j.com]
  resources: [neo4jdisasterrecoveries, neo4jenterpriseclusters, neo4jrestores]
  verbs: [get, list, watch]
- apiGroups: [neo4j.neo4j.com]
  resources: [neo4jdisasterrecoveries, neo4jenterpriseclusters]
  verbs: [patch]
- apiGroups: [neo4j.neo4j.com]
  resources: [neo4jdisasterrecoveries/status, neo4jenterpriseclusters/status, neo4jrestores/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
