{{- define "triptych.name" -}}
{{- if contains "triptych" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-triptych{{ end }}
{{- end }}

{{- define "triptych.selector" -}}
app.kubernetes.io/name: triptych
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "triptych.labels" -}}
{{ include "triptych.selector" . }}
app.kubernetes.io/part-of: triptych
app.kubernetes.io/version: {{ include "triptych.tag" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "triptych.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The stages that run here, as a list of names: those that are enabled and not elsewhere. */}}
{{- define "triptych.here" -}}
{{- $names := list }}
{{- range $name, $stage := .Values.stages }}
{{- if and $stage.enabled (not $stage.url) }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- toJson $names }}
{{- end }}

{{- define "triptych.scaled" -}}
{{- if .autoscaling.kind }}yes{{ end }}
{{- end }}

{{- define "triptych.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false  # a service named gateway would set GATEWAY_PORT
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "triptych.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Its address goes first: the gateway asks DNS every 5 s. */}}
{{- define "triptych.beforeStop" -}}
lifecycle:
  preStop:
    exec: {command: [sleep, "10"]}
{{- end }}

{{- define "triptych.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "triptych.selector" . | nindent 8 }}
{{- end }}

{{- define "triptych.annotations" -}}
{{- if .Values.prometheus.annotations }}
annotations:
  prometheus.io/scrape: "true"
  prometheus.io/port: "8000"
  prometheus.io/path: /metrics
{{- end }}
{{- end }}

{{/* What such a pod is told: who scrapes it has neither key nor secret. */}}
{{- define "triptych.scraped" -}}
{{- if .Values.prometheus.annotations }}METRICS_OPEN: "true"{{ end }}
{{- end }}

{{/* The variables that a map says, as entries of env. */}}
{{- define "triptych.env" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- define "triptych.tokens" -}}
- name: tokens
  secret:
    secretName: {{ .Values.secret.name }}
    defaultMode: 0440
{{- end }}
