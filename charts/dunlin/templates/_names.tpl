{{/* Names and labels. Selectors are made of labels that no upgrade changes: neither version nor chart is among them. */}}

{{- define "dunlin.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters: names of pods and of further objects add to it, and a node's name has at most 64. */}}
{{- define "dunlin.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "dunlin.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "dunlin.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "dunlin.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dunlin.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dunlin.nodeSelectorLabels" -}}
{{ include "dunlin.selectorLabels" . }}
app.kubernetes.io/component: node
{{- end }}

{{- define "dunlin.labels" -}}
{{ include "dunlin.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dunlin.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "dunlin.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "dunlin.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What both containers of the test have alike. */}}
{{- /* How the clients of `helm test` connect, as a list of words; empty: they cannot. They come from no load balancer, and have a certificate only if they were given one. */}}
{{- define "dunlin.testConnection" -}}
{{- $name := .Values.tests.listener }}
{{- if not (hasKey .Values.listeners $name) }}
{{- fail (printf "tests.listener: there is no listener %s" $name) }}
{{- end }}
{{- $listener := get (include "dunlin.listeners" . | fromYaml) $name | default dict }}
{{- $tls := .Values.tests.tls }}
{{- $words := list }}
{{- if and .Values.tests.enabled $listener.protocol (not $listener.trustedProxies) }}
{{- $isSecure := has $listener.protocol (list "tls" "wss") }}
{{- $tlsOf := $listener.tls | default dict }}
{{- $needsCertificate := and $isSecure $tlsOf.clientCaSecret (eq ($tlsOf.clientCertificates | default "require") "require") }}
{{- if or (not $needsCertificate) $tls.clientCertificate }}
{{- $scheme := get (dict "tcp" "mqtt" "tls" "mqtts" "ws" "ws" "wss" "wss") $listener.protocol }}
{{- $path := "" }}
{{- if has $listener.protocol (list "ws" "wss") }}{{ $path = $listener.path | default "/mqtt" }}{{ end }}
{{- $words = list "-L" (printf "%s://%s:%v%s" $scheme (include "dunlin.fullname" .) (default $listener.port $listener.servicePort) $path) "-V" "5" }}
{{- if $isSecure }}
{{- /* The certificate is for the name that devices use, which is not that of the Service. */}}
{{- $words = append $words "--insecure" }}
{{- if $tls.existingSecret }}{{ $words = concat $words (list "--cafile" "/etc/dunlin/test/ca.crt") }}{{ end }}
{{- if $tls.clientCertificate }}{{ $words = concat $words (list "--cert" "/etc/dunlin/test/tls.crt" "--key" "/etc/dunlin/test/tls.key") }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- $words | toJson }}
{{- end }}

{{- define "dunlin.testContainer" -}}
image: {{ include "dunlin.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.tests.existingSecret }}
env:
  - name: MQTT_USERNAME
    valueFrom:
      secretKeyRef: { name: {{ . }}, key: username }
  - name: MQTT_PASSWORD
    valueFrom:
      secretKeyRef: { name: {{ . }}, key: password }
{{- end }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
{{- if .Values.tests.tls.existingSecret }}
volumeMounts:
  - { name: test, mountPath: /etc/dunlin/test, readOnly: true }
{{- end }}
{{- end }}
