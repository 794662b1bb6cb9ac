{{- define "otklik.name" -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Labels that select: never change them, a StatefulSet refuses. */}}
{{- define "otklik.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "otklik.labels" -}}
{{ include "otklik.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "otklik.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "otklik.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "otklik.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "otklik.databaseSecret" -}}
{{- .Values.database.existingSecret | default (printf "%s-database" (include "otklik.name" .)) }}
{{- end }}

{{- define "otklik.keysSecret" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "otklik.name" .)) }}
{{- end }}

{{- define "otklik.claim" -}}
{{- .Values.lake.existingClaim | default (printf "%s-lake" (include "otklik.name" .)) }}
{{- end }}

{{/* Ports beside the admin one (8090), by service: what customers call. */}}
{{- define "otklik.publicPort" -}}
{{- get (dict "gateway" "8080" "ingest" "8081" "sender" "8082") . }}
{{- end }}

{{/* OTKLIK_SERVICES: where the gateway finds the others. The Service of each chooses among its ready pods. */}}
{{- define "otklik.addresses" -}}
{{- $name := include "otklik.name" . }}
{{- $found := list }}
{{- range $service := keys .Values.services | sortAlpha }}
{{- $found = append $found (printf "%s=http://%s-%s:8090" $service $name $service) }}
{{- end }}
{{- $found = append $found (printf "experiments=http://%s-gateway:8090" $name) }}{{/* it has no pod of its own: docs/adr/0025 */}}
{{- range $service := list "ingest" "sender" }}
{{- $found = append $found (printf "%s.public=http://%s-%s:%s" $service $name $service (include "otklik.publicPort" $service)) }}
{{- end }}
{{- join "," $found }}
{{- end }}
