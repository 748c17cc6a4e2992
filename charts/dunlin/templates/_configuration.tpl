{{/* What a node is told: its configuration file, and the Secrets that the file names files of. */}}

{{/* The listeners that are enabled, as a map by name. A listener that says nothing is. */}}
{{- define "dunlin.listeners" -}}
{{- $enabled := dict }}
{{- range $name, $listener := .Values.listeners }}
{{- if and $listener (ne (get $listener "enabled" | toString) "false") }}
{{- $_ := set $enabled $name $listener }}
{{- end }}
{{- end }}
{{- if not $enabled }}
{{- fail "no listener is enabled: nobody could connect" }}
{{- end }}
{{- $enabled | toYaml }}
{{- end }}

{{- define "dunlin.redisUrl" -}}
{{- if .Values.redis.url }}
{{- if regexMatch "://[^@/]*:[^@]*@" .Values.redis.url }}
{{- fail "redis.url holds a password, and would show it in a ConfigMap: name a Secret in redis.existingSecret" }}
{{- end }}
{{- .Values.redis.url }}
{{- else if .Values.redis.trial.enabled }}
{{- printf "redis://%s-redis:6379" (include "dunlin.fullname" .) }}
{{- else }}
{{- fail "redis.url is missing: where sessions and messages live (or redis.trial.enabled=true to try it)" }}
{{- end }}
{{- end }}

{{- define "dunlin.natsUrl" -}}
{{- if .Values.nats.url }}
{{- if or (regexMatch "://[^@/,]*:[^@,]*@" .Values.nats.url) (and (contains "@" .Values.nats.url) (not .Values.nats.existingSecret)) }}
{{- fail "nats.url holds a password or token, and would show it in a ConfigMap: name a Secret in nats.existingSecret" }}
{{- end }}
{{- .Values.nats.url }}
{{- else if .Values.nats.trial.enabled }}
{{- printf "nats://%s-nats:4222" (include "dunlin.fullname" .) }}
{{- else }}
{{- fail "nats.url is missing: where nodes reach each other (or nats.trial.enabled=true to try it)" }}
{{- end }}
{{- end }}

{{/* The name of the Secret that all nodes share; empty: there is none. */}}
{{- define "dunlin.clusterSecret" -}}
{{- with .Values.cluster }}
{{- if and .allowUnsigned (not .existingSecret) (not .generateSecret) }}
{{- fail "cluster.allowUnsigned is given without cluster.existingSecret or cluster.generateSecret: nothing is signed" }}
{{- end }}
{{- if .existingSecret }}
{{- .existingSecret }}
{{- else if .generateSecret }}
{{- printf "%s-cluster" (include "dunlin.fullname" $) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Secrets and ConfigMaps as files, each { name, secret or configMap, items: {key: file}, path }. One table for volumes, mounts and the configuration, so
that none names what another does not have. Empty items: all keys by their names.
*/}}
{{- define "dunlin.mounts" -}}
{{- $mounts := list }}
{{- $root := "/etc/dunlin" }}
{{- with include "dunlin.clusterSecret" . }}
{{- $mounts = append $mounts (dict "name" "cluster-secret" "secret" . "items" (dict $.Values.cluster.secretKey "secret") "path" (printf "%s/cluster" $root)) }}
{{- end }}
{{- with .Values.admin.existingSecret }}
{{- $mounts = append $mounts (dict "name" "admin-key" "secret" . "items" (dict $.Values.admin.secretKey "key") "path" (printf "%s/admin" $root)) }}
{{- end }}
{{- with .Values.redis }}
{{- if .existingSecret }}
{{- $mounts = append $mounts (dict "name" "redis-password" "secret" .existingSecret "items" (dict .passwordKey "password") "path" (printf "%s/redis" $root)) }}
{{- end }}
{{- if .sentinel.existingSecret }}
{{- $mounts = append $mounts (dict "name" "sentinel-password" "secret" .sentinel.existingSecret "items" (dict .sentinel.passwordKey "password") "path" (printf "%s/sentinel" $root)) }}
{{- end }}
{{- end }}
{{- with .Values.nats }}
{{- if .existingSecret }}
{{- $mounts = append $mounts (dict "name" "nats-password" "secret" .existingSecret "items" (dict .passwordKey "password") "path" (printf "%s/nats" $root)) }}
{{- end }}
{{- if .credentials.existingSecret }}
{{- $mounts = append $mounts (dict "name" "nats-credentials" "secret" .credentials.existingSecret "items" (dict .credentials.key "nats.creds") "path" (printf "%s/nats-credentials" $root)) }}
{{- end }}
{{- end }}
{{- range $server := list "redis" "nats" }}
{{- with (index $.Values $server).tls }}
{{- if .existingSecret }}
{{- $items := dict .caKey "ca.crt" }}
{{- if .clientCertificate }}
{{- $_ := set $items .certificateKey "tls.crt" }}
{{- $_ := set $items .keyKey "tls.key" }}
{{- end }}
{{- $mounts = append $mounts (dict "name" (printf "%s-tls" $server) "secret" .existingSecret "items" $items "path" (printf "%s/%s-tls" $root $server)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $listener := include "dunlin.listeners" . | fromYaml }}
{{- if has $listener.protocol (list "tls" "wss") }}
{{- $tls := $listener.tls | default dict }}
{{- $secret := required (printf "listeners.%s.tls.existingSecret is missing: the certificate of a listener with TLS" $name) $tls.existingSecret }}
{{- $items := dict ($tls.certificateKey | default "tls.crt") "tls.crt" ($tls.keyKey | default "tls.key") "tls.key" }}
{{- $mounts = append $mounts (dict "name" (printf "listener-%s" $name) "secret" $secret "items" $items "path" (printf "%s/listeners/%s" $root $name)) }}
{{- if $tls.clientCaSecret }}
{{- $items := dict ($tls.clientCaKey | default "ca.crt") "ca.crt" }}
{{- $mounts = append $mounts (dict "name" (printf "clients-%s" $name) "secret" $tls.clientCaSecret "items" $items "path" (printf "%s/clients/%s" $root $name)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.files }}
{{- $mount := dict "name" (printf "file-%s" .name) "items" dict "path" (printf "%s/files/%s" $root .name) }}
{{- if .secret }}{{ $_ := set $mount "secret" .secret }}{{ else }}{{ $_ := set $mount "configMap" .configMap }}{{ end }}
{{- $mounts = append $mounts $mount }}
{{- end }}
{{- $mounts | toYaml }}
{{- end }}

{{/* One listener in the words of a node's configuration. */}}
{{- define "dunlin.listener" -}}
{{- $name := .name }}
{{- with .listener }}
{{- if not (or .allowAnonymous (get (.options | default dict) "authentication") $.config.authentication $.config.jwt) }}
{{- fail (printf "listener %s asks nobody who they are, and does not say that it is meant: sign-in by config.authentication, or listeners.%s.allowAnonymous=true" $name $name) }}
{{- end }}
{{- $url := printf "%s://%s:%d%s" .protocol (default "0.0.0.0" .host) (int .port) (.path | default "") }}
{{- $written := dict "url" $url "name" $name }}
{{- if .allowAnonymous }}{{ $_ := set $written "allowAnonymous" true }}{{ end }}
{{- if has .protocol (list "tls" "wss") }}
{{- $_ := set $written "cert" (printf "/etc/dunlin/listeners/%s/tls.crt" $name) }}
{{- $_ := set $written "key" (printf "/etc/dunlin/listeners/%s/tls.key" $name) }}
{{- if .tls.clientCaSecret }}
{{- $_ := set $written "clientCa" (printf "/etc/dunlin/clients/%s/ca.crt" $name) }}
{{- $_ := set $written "clientCertificates" (.tls.clientCertificates | default "require") }}
{{- end }}
{{- end }}
{{- if .trustedProxies }}
{{- $_ := set $written "proxy" "required" }}
{{- $_ := set $written "trustedProxies" .trustedProxies }}
{{- end }}
{{- mergeOverwrite $written (deepCopy (.options | default dict)) | toYaml }}
{{- end }}
{{- end }}

{{- define "dunlin.store" -}}
{{- $store := dict "kind" "redis" "url" (include "dunlin.redisUrl" .) "durability" .Values.redis.durability "replicas" (int .Values.redis.replicas) }}
{{- with .Values.redis }}
{{- if .existingSecret }}{{ $_ := set $store "passwordFile" "/etc/dunlin/redis/password" }}{{ end }}
{{- if .sentinel.user }}{{ $_ := set $store "sentinelUser" .sentinel.user }}{{ end }}
{{- if .sentinel.existingSecret }}{{ $_ := set $store "sentinelPasswordFile" "/etc/dunlin/sentinel/password" }}{{ end }}
{{- end }}
{{- mergeOverwrite $store (include "dunlin.tlsFiles" (dict "tls" .Values.redis.tls "path" "/etc/dunlin/redis-tls") | fromYaml) | toYaml }}
{{- end }}

{{- define "dunlin.backplane" -}}
{{- $backplane := dict "url" (include "dunlin.natsUrl" .) }}
{{- with .Values.nats }}
{{- if .existingSecret }}{{ $_ := set $backplane "passwordFile" "/etc/dunlin/nats/password" }}{{ end }}
{{- if .credentials.existingSecret }}{{ $_ := set $backplane "credentialsFile" "/etc/dunlin/nats-credentials/nats.creds" }}{{ end }}
{{- end }}
{{- mergeOverwrite $backplane (include "dunlin.tlsFiles" (dict "tls" .Values.nats.tls "path" "/etc/dunlin/nats-tls") | fromYaml) | toYaml }}
{{- end }}

{{- define "dunlin.tlsFiles" -}}
{{- if .tls.existingSecret }}
tlsCaFile: {{ .path }}/ca.crt
{{- if .tls.clientCertificate }}
tlsCertificateFile: {{ .path }}/tls.crt
tlsKeyFile: {{ .path }}/tls.key
{{- end }}
{{- end }}
{{- end }}

{{/* The whole file. What `config` says comes last and wins; lists are replaced, not joined. */}}
{{- define "dunlin.configuration" -}}
{{- $listeners := list }}
{{- range $name, $listener := include "dunlin.listeners" . | fromYaml }}
{{- $listeners = append $listeners (include "dunlin.listener" (dict "name" $name "listener" $listener "config" $.Values.config) | fromYaml) }}
{{- end }}
{{- $written := dict "listeners" $listeners }}
{{- $_ := set $written "store" (include "dunlin.store" . | fromYaml) }}
{{- $_ := set $written "backplane" (include "dunlin.backplane" . | fromYaml) }}
{{- $cluster := dict "name" (default .Release.Name .Values.cluster.name) }}
{{- if include "dunlin.clusterSecret" . }}{{ $_ := set $cluster "secretFile" "/etc/dunlin/cluster/secret" }}{{ end }}
{{- if .Values.cluster.allowUnsigned }}{{ $_ := set $cluster "allowUnsigned" true }}{{ end }}
{{- $_ := set $written "cluster" $cluster }}
{{- if .Values.admin.existingSecret }}
{{- $metrics := printf "%s-metrics" (include "dunlin.fullname" .) }}
{{- $hosts := list $metrics (printf "%s.%s" $metrics .Release.Namespace) (printf "%s.%s.svc" $metrics .Release.Namespace) }}
{{- $_ := set $written "admin" (dict "keyFile" "/etc/dunlin/admin/key" "hosts" $hosts) }}
{{- end }}
{{- $_ := set $written "log" (dict "level" .Values.log.level) }}
{{- with include "dunlin.drain" . | fromYaml }}{{ $_ := set $written "drain" . }}{{ end }}
{{- if .Values.workers }}{{ $_ := set $written "workers" (int .Values.workers) }}{{ end }}
{{- mergeOverwrite $written (deepCopy .Values.config) | toYaml }}
{{- end }}

{{/* What differs from what a node does by itself; its own grace is 25 s. */}}
{{- define "dunlin.drain" -}}
{{- with .Values.drain }}
{{- if ne (int .seconds) 25 }}
graceSeconds: {{ int .seconds }}
{{- end }}
{{- if .ratePerSecond }}
ratePerSecond: {{ int .ratePerSecond }}
{{- end }}
{{- with .serverReference }}
serverReference: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The three parts of a drain. */}}
{{- define "dunlin.gracePeriodSeconds" -}}
{{- with .Values.drain }}
{{- add (int .preStopSeconds) (int .seconds) (int .marginSeconds) }}
{{- end }}
{{- end }}
