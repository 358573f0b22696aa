{{- define "sts-verify.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 55 characters at most, so that names with a suffix have at most 63. */}}
{{- define "sts-verify.fullname" -}}
{{- $name := include "sts-verify.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $full | trunc 54 | trimSuffix "-" }}
{{- end }}

{{/* The labels by which Services, budgets and policies select pods. They must not change, because a Deployment's selector cannot. */}}
{{- define "sts-verify.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sts-verify.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sts-verify.labels" -}}
{{ include "sts-verify.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The metadata of an object. Arguments: (list root suffix). */}}
{{- define "sts-verify.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "sts-verify.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "sts-verify.labels" $root | nindent 2 }}
{{- end }}

{{- define "sts-verify.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "sts-verify.serviceAccountName" -}}
{{- $own := ternary (include "sts-verify.fullname" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $own }}
{{- end }}

{{/* Helm reads numbers as floats and would print a million as 1e+06. */}}
{{- define "sts-verify.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ ternary (int64 $value) $value (kindIs "float64" $value) | toString | quote }}
{{- end }}
{{- if .Values.sandbox }}
STS_VERIFY_SANDBOX: "true"
{{- end }}
{{- end }}

{{/* The mounted files: a YAML list of {name, kind, source, and the variables that name a file in it}. The program
     loads a changed file itself, so none of them is in a checksum. */}}
{{- define "sts-verify.mounts" -}}
{{- $full := include "sts-verify.fullname" . }}
{{- with .Values.apiKeys }}
{{- if .enabled }}
- name: api-keys
  kind: secret
  source: {{ .existingSecret | default (printf "%s-api-keys" $full) }}
  files: {STS_VERIFY_API_KEYS_FILE: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- with .Values.tls }}
{{- if .enabled }}
- name: tls
  kind: secret
  source: {{ .existingSecret | default (printf "%s-tls" $full) }}
  files: {STS_VERIFY_TLS_CERT_FILE: tls.crt, STS_VERIFY_TLS_KEY_FILE: tls.key}
{{- end }}
{{- end }}
{{- with .Values.policies }}
{{- if or .toml .existingConfigMap }}
- name: policies
  kind: configMap
  source: {{ .existingConfigMap | default (printf "%s-policies" $full) }}
  files: {STS_VERIFY_POLICIES_FILE: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- with .Values.caBundle }}
{{- if .existingConfigMap }}
- name: ca-bundle
  kind: configMap
  source: {{ .existingConfigMap }}
  files: {AWS_CA_BUNDLE: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- end }}
