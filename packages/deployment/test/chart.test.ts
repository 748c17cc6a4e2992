import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readChartValues } from '../src/chart-values.ts';
import { chartDirectory, generatedChartFiles } from '../src/generated-chart-files.ts';
import { helm, type KubernetesObject, only, render, renderText, valuesFile, valuesNames } from '../src/helm.ts';
import { programPath } from '../src/programs.ts';

/** The oldest that the chart says it is for, one between, and the newest whose schemas kubernetes-validate has. */
const kubernetesVersions = ['1.27', '1.32', '1.37'];
/** Kinds that Kubernetes itself does not have; `npm run chart:install` has them checked. */
const foreignKinds = ['ServiceMonitor', 'PrometheusRule'];

const run = promisify(execFile);
const rendered = new Map<string, KubernetesObject[]>();
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-chart-'));
  for (const name of valuesNames) rendered.set(name, await render(valuesFile(name)));
}, 60_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

function objectsOf(name: (typeof valuesNames)[number]): KubernetesObject[] {
  const objects = rendered.get(name);
  if (objects === undefined) throw new RangeError(`${name} was not rendered`);
  return objects;
}

/** The specification of a node's pod. */
function podOf(objects: readonly KubernetesObject[]) {
  return only(objects.filter(isNode), 'Deployment').spec.template.spec;
}

const isNode = ({ metadata }: KubernetesObject) => metadata.labels['app.kubernetes.io/component'] === 'node';

function configurationOf(objects: readonly KubernetesObject[]) {
  const maps = objects.filter(({ kind, data }) => kind === 'ConfigMap' && data['dunlin.yaml'] !== undefined);
  return parse(only(maps, 'ConfigMap').data['dunlin.yaml']);
}

/** The message of a rendering that must fail. */
async function refusal(...further: string[]): Promise<string> {
  const settings = further.flatMap((setting) => ['--set', setting]);
  return renderText(valuesFile('minimal'), settings).then(
    () => 'taken',
    (error: Error) => error.message,
  );
}

describe.each(valuesNames)('the chart with %s values', (name) => {
  test('is linted strictly, by helm and by the schema of its values', { timeout: 60_000 }, async () => {
    await helm(['lint', '--strict', chartDirectory, '--values', valuesFile(name)]);
  });

  test('makes objects that Kubernetes takes', { timeout: 60_000 }, async () => {
    const file = join(directory, `${name}.json`);
    const objects = objectsOf(name).filter(({ kind }) => !foreignKinds.includes(kind));
    const files = objects.map((object, index) => [`${file}-${index}.json`, object] as const);
    for (const [path, object] of files) await writeFile(path, JSON.stringify(object));
    for (const version of kubernetesVersions) {
      await run(programPath('kubernetes-validate'), ['--strict', '-k', version, ...files.map(([path]) => path)]);
    }
  });

  test('gives a pod the time that its drain takes', () => {
    const objects = objectsOf(name);
    const pod = podOf(objects);
    const sleep = Number(pod.containers[0].lifecycle.preStop.exec.command[1]);
    // What a node takes unless it is told otherwise.
    const graceSeconds = configurationOf(objects).drain?.graceSeconds ?? 25;
    expect(sleep).toBeGreaterThan(0);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(sleep + graceSeconds);
  });

  test('has no secret in a ConfigMap or in the environment', () => {
    const objects = objectsOf(name);
    const maps = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ data }) => JSON.stringify(data));
    expect(maps.join('\n')).not.toMatch(/:\/\/[^@/\s"]*:[^@\s"]*@|BEGIN [A-Z ]*PRIVATE KEY|"?password"?:/i);
    const { store, backplane } = configurationOf(objects);
    const literal = Object.entries({ ...store, ...backplane }).filter(([key]) => /password|token|secret/i.test(key));
    for (const [key, value] of literal) expect(key.endsWith('File') && value, key).toMatch(/^\/etc\/dunlin\//);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const names = podOf(objects).containers[0].env.map((variable: { name: string }) => variable.name);
    expect(names.filter((each: string) => /PASS|TOKEN|SECRET/.test(each))).toEqual([]);
  });

  test('mounts every file that the configuration names, read-only, and no Secret beside them', () => {
    const objects = objectsOf(name);
    const pod = podOf(objects);
    const { volumeMounts } = pod.containers[0] as {
      volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
    };
    const named = JSON.stringify(configurationOf(objects)).match(/\/etc\/dunlin\/[^"]+/g) ?? [];
    for (const path of named) {
      const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
      expect(mount, path).toMatchObject({ readOnly: true });
    }
    for (const { name: volume, mountPath } of volumeMounts) {
      expect(pod.volumes.map((each: { name: string }) => each.name)).toContain(volume);
      if (mountPath.startsWith('/etc/dunlin/') && !/\/(config|files\/\w+)$/.test(mountPath))
        expect(
          named.some((path) => path.startsWith(`${mountPath}/`)),
          mountPath,
        ).toBe(true);
    }
  });

  test('asks nodes for their health where they answer it', () => {
    const objects = objectsOf(name);
    const [container] = podOf(objects).containers;
    const { startupProbe, livenessProbe, readinessProbe, ports, env } = container;
    expect(startupProbe.httpGet).toEqual({ path: '/healthz', port: 'admin' });
    expect(livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'admin' });
    expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'admin' });
    const admin = ports.find((port: { name: string }) => port.name === 'admin').containerPort;
    const address = env.find((variable: { name: string }) => variable.name === 'DUNLIN_ADMIN_ADDRESS').value;
    expect(address).toBe(`0.0.0.0:${admin}`);
  });

  test('has selectors that no upgrade changes, and that find the pods', () => {
    const stable = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component'];
    const objects = objectsOf(name);
    const { labels } = only(objects.filter(isNode), 'Deployment').spec.template.metadata;
    for (const { kind, spec, metadata } of objects) {
      const selector = spec?.selector?.matchLabels ?? (kind === 'Service' ? spec.selector : undefined);
      if (selector === undefined) continue;
      expect(Object.keys(selector).sort(), `${kind} ${metadata.name}`).toEqual([...stable].sort());
      if (selector['app.kubernetes.io/component'] === 'node') expect(labels).toMatchObject(selector);
    }
  });

  test('opens the listeners of the configuration, and neither health nor metrics with them', () => {
    const objects = objectsOf(name);
    const { listeners } = configurationOf(objects);
    const [container] = podOf(objects).containers;
    const services = objects.filter(isNode).filter(({ kind }) => kind === 'Service');
    const targets = only(services, 'Service').spec.ports.map((port: { targetPort: string }) => port.targetPort);
    const ports = new Map(
      container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
    );
    expect(targets.map((target: string) => ports.get(target)).sort()).toEqual(
      listeners.map(({ url }: { url: string }) => Number(/:(\d+)(\/|$)/.exec(url)?.[1])).sort(),
    );
    expect(targets).not.toContain('admin');
  });

  test('runs without rights', () => {
    const pods = objectsOf(name)
      .map((object) => (object.kind === 'Pod' ? object.spec : object.spec?.template?.spec))
      .filter((pod) => pod?.containers !== undefined);
    for (const pod of pods) {
      expect(pod.automountServiceAccountToken).toBe(false);
      // Otherwise Kubernetes sets DUNLIN_PORT and others, which a node refuses.
      expect(pod.enableServiceLinks).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const { name: container, securityContext } of [...(pod.initContainers ?? []), ...pod.containers]) {
        if (['sidecar', 'first'].includes(container)) continue; // The user's own.
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });
});

describe('the chart', () => {
  test('replaces pods when the configuration changes, and only then', async () => {
    const checksum = async (...further: string[]) => {
      const objects = await render(valuesFile('minimal'), further);
      return only(objects, 'Deployment').spec.template.metadata.annotations['checksum/config'];
    };
    const before = await checksum();
    expect(await checksum('--set', 'replicaCount=7')).toBe(before);
    expect(await checksum('--set', 'log.level=debug')).not.toBe(before);
    expect(await checksum('--set', 'config.limits.receiveMaximum=5')).not.toBe(before);
  });

  test('keeps its selectors when chart, image and labels change', async () => {
    const selectors = (objects: KubernetesObject[]) =>
      objects.map(({ kind, metadata, spec }) => [kind, metadata.name, spec?.selector]);
    const further = ['--set', 'image.tag=9.9.9,commonLabels.team=other,podLabels.tier=edge'];
    expect(selectors(await render(valuesFile('minimal'), further))).toEqual(selectors(objectsOf('minimal')));
  });

  test('says what is missing or would be unsafe', { timeout: 60_000 }, async () => {
    expect(await refusal()).toBe('taken');
    expect(await refusal('redis.url=')).toContain('redis.url is missing');
    expect(await refusal('nats.url=')).toContain('nats.url is missing');
    expect(await refusal('redis.url=redis://u:secret@redis:6379')).toContain('name a Secret in redis.existingSecret');
    expect(await refusal('nats.url=nats://u:secret@nats:4222')).toContain('name a Secret in nats.existingSecret');
    expect(await refusal('nats.url=nats://token@nats:4222')).toContain('name a Secret in nats.existingSecret');
    expect(await refusal('listeners.mqtt.allowAnonymous=false')).toContain('asks nobody who they are');
    expect(await refusal('listeners.mqtt.enabled=false')).toContain('no listener is enabled');
    expect(await refusal('listeners.mqtts.enabled=true,listeners.mqtts.allowAnonymous=true')).toContain(
      'listeners.mqtts.tls.existingSecret is missing',
    );
    expect(await refusal('tests.listener=other')).toContain('there is no listener other');
  });

  test('`helm test` also goes through a listener with TLS, and is there only where its clients can connect', async () => {
    const testsOf = (objects: readonly KubernetesObject[]) =>
      objects.filter(({ kind, metadata }) => kind === 'Pod' && metadata.annotations?.['helm.sh/hook'] === 'test');
    const [pod] = testsOf(objectsOf('tls'));
    expect(pod.spec.containers[0].args.slice(0, 9)).toEqual(
      'sub -L mqtts://mqtt-dunlin:443 -V 5 --insecure --cafile /etc/dunlin/test/ca.crt --cert'.split(' '),
    );
    expect(pod.spec.volumes[0].secret.secretName).toBe('mqtt-test-client');
    expect(testsOf(await render(valuesFile('tls'), ['--set', 'tests.tls.clientCertificate=false']))).toEqual([]);
    const overWebSocket = testsOf(await render(valuesFile('tls'), ['--set', 'tests.listener=wss']));
    expect(overWebSocket[0].spec.containers[0].args[2]).toBe('wss://mqtt-dunlin:8084/mqtt');
  });

  test('signs what nodes send each other with a Secret that is given, or made once and kept', async () => {
    const made = await render(valuesFile('minimal'), ['--set', 'cluster.generateSecret=true']);
    const secret = only(
      made.filter(({ kind }) => kind === 'Secret'),
      'Secret',
    );
    expect(secret.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    expect(Buffer.from(secret.data.secret, 'base64').toString()).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(configurationOf(made).cluster.secretFile).toBe('/etc/dunlin/cluster/secret');
    const volume = podOf(made).volumes.find(({ name }: { name: string }) => name === 'cluster-secret');
    expect(volume.secret.secretName).toBe(secret.metadata.name);
    const given = ['--set', 'cluster.generateSecret=true,cluster.existingSecret=mine,cluster.allowUnsigned=true'];
    const taken = await render(valuesFile('minimal'), given);
    expect(taken.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(configurationOf(taken).cluster.allowUnsigned).toBe(true);
    expect(configurationOf(objectsOf('minimal')).cluster).not.toHaveProperty('secretFile');
    expect(await refusal('cluster.allowUnsigned=true')).toContain('nothing is signed');
  });

  test('gives nodes a key of the administration API from a Secret, and the names of the Service that they are asked under', async () => {
    const words = ['--namespace', 'plant', '--set', 'admin.existingSecret=operators,admin.secretKey=api-key'];
    const made = await render(valuesFile('minimal'), words);
    const { keyFile, hosts } = configurationOf(made).admin;
    expect(keyFile).toBe('/etc/dunlin/admin/key');
    expect(hosts).toEqual(['mqtt-dunlin-metrics', 'mqtt-dunlin-metrics.plant', 'mqtt-dunlin-metrics.plant.svc']);
    const { volumes, containers } = podOf(made);
    const volume = volumes.find(({ name }: { name: string }) => name === 'admin-key');
    expect(volume.secret).toMatchObject({ secretName: 'operators', items: [{ key: 'api-key', path: 'key' }] });
    const mount = containers[0].volumeMounts.find(({ name }: { name: string }) => name === 'admin-key');
    expect(mount).toMatchObject({ mountPath: '/etc/dunlin/admin', readOnly: true });
    expect(configurationOf(objectsOf('minimal'))).not.toHaveProperty('admin');
  });

  test('refuses values that it does not know or that cannot be', { timeout: 60_000 }, async () => {
    expect(await refusal('replicas=3')).toContain('replicas');
    expect(await refusal('redis.urll=redis://redis:6379')).toContain('urll');
    expect(await refusal('replicaCount=0')).toContain('replicaCount');
    expect(await refusal('listeners.mqtt.protocol=quic')).toContain('protocol');
    expect(await refusal('drain.seconds=1')).toContain('drain');
  });

  test('lets nodes that are not ready be evicted only where enough others are: with Redis away all of them are, and serve whom they have', () => {
    const budgets = valuesNames.flatMap((name) => objectsOf(name).filter(({ kind }) => kind === 'PodDisruptionBudget'));
    expect(budgets.length).toBeGreaterThan(0);
    expect(new Set(budgets.map(({ spec }) => spec.unhealthyPodEvictionPolicy))).toEqual(new Set(['IfHealthyBudget']));
  });

  test('has a replica count or an autoscaler, not both', () => {
    expect(only(objectsOf('minimal'), 'Deployment').spec.replicas).toBe(3);
    expect(objectsOf('minimal').filter(({ kind }) => kind === 'HorizontalPodAutoscaler')).toEqual([]);
    const scaled = objectsOf('everything');
    expect(only(scaled.filter(isNode), 'Deployment').spec).not.toHaveProperty('replicas');
    const { spec } = only(scaled, 'HorizontalPodAutoscaler');
    expect(spec.scaleTargetRef.name).toBe(only(scaled.filter(isNode), 'Deployment').metadata.name);
    expect(spec.metrics[0].pods.metric.name).toBe('dunlin_connections');
  });

  test('lets trial servers be reached by nodes alone', () => {
    const objects = objectsOf('trial');
    for (const server of ['redis', 'nats']) {
      const { spec } = only(objects, 'NetworkPolicy', `-${server}`);
      expect(spec.podSelector.matchLabels['app.kubernetes.io/component']).toBe(server);
      expect(spec.ingress[0].from[0].podSelector.matchLabels['app.kubernetes.io/component']).toBe('node');
    }
    const { args, resources } = only(objects, 'StatefulSet').spec.template.spec.containers[0];
    expect(args.join(' ')).toContain('--appendonly yes --appendfsync always');
    // Redis refuses writes before the kernel ends it.
    expect(args.join(' ')).toContain('--maxmemory 256mb --maxmemory-policy noeviction');
    expect(resources.limits.memory).toBe('512Mi');
  });

  test('shows Prometheus the metrics, and brings alerts that it takes', async () => {
    const objects = objectsOf('production');
    const metrics = only(objects, 'Service', '-metrics');
    const monitor = only(objects, 'ServiceMonitor');
    expect(metrics.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
    expect(metrics.spec.ports[0].name).toBe(monitor.spec.endpoints[0].port);
    // As alerts and dashboard ask for it.
    const [{ relabelings }] = monitor.spec.endpoints;
    expect(relabelings).toContainEqual({ targetLabel: 'job', replacement: 'dunlin' });
    expect(relabelings).toContainEqual({ sourceLabels: ['__meta_kubernetes_pod_name'], targetLabel: 'instance' });
    const file = join(directory, 'rules.json');
    await writeFile(file, JSON.stringify({ groups: only(objects, 'PrometheusRule').spec.groups }));
    await run(programPath('promtool'), ['check', 'rules', file]);
    const { data } = only(objects, 'ConfigMap', '-dashboard');
    expect(JSON.parse(data['dunlin.json']).uid).toBe('dunlin');
  });

  test('gives alerts the thresholds and the runbook that the values name', async () => {
    const prefix = 'metrics.prometheusRule';
    const words = [`${prefix}.runbookUrl=https://wiki.example/mqtt`, `${prefix}.thresholds.DunlinSignInStorm=50`];
    const objects = await render(valuesFile('production'), ['--set', words.join(',')]);
    const [{ rules }] = only(objects, 'PrometheusRule').spec.groups;
    for (const { alert, annotations } of rules)
      expect(annotations.runbook_url, alert).toBe('https://wiki.example/mqtt');
    expect(rules.find(({ alert }: { alert: string }) => alert === 'DunlinSignInStorm').expr).toMatch(
      /\[5m\]\)\) > 50$/,
    );
    const unknown = render(valuesFile('production'), ['--set', `${prefix}.thresholds.Nothing=1`]);
    await expect(unknown).rejects.toThrow('given "Nothing", allowed: alerts of rules/dunlin.yaml');
  });
});

describe('the values', () => {
  test('are documented, and their schema and README are those of values.yaml', async () => {
    for (const [name, text] of generatedChartFiles()) {
      expect(await readFile(join(chartDirectory, name), 'utf8'), `${name}: npm run docs`).toBe(text);
    }
  });

  test('are all used', async () => {
    const folder = join(chartDirectory, 'templates');
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'utf8')));
    const templates = texts.join('\n');
    const uses = (name: string) => new RegExp(`[.]${name}\\b`).test(templates);
    const values = readChartValues(await readFile(join(chartDirectory, 'values.yaml'), 'utf8'));
    expect(values.length).toBeGreaterThan(100);
    // Probes are written as a whole.
    const unused = values.filter(({ path }) => {
      const names = path.split('.');
      const last = names[0] === 'probes' ? names[1] : names[names.length - 1];
      return (!templates.includes(`.Values.${names[0]}`) && !templates.includes(`$.Values $server`)) || !uses(last);
    });
    expect(unused.map(({ path }) => path)).toEqual([]);
  });

  test('a value without a description is found out', () => {
    expect(() => readChartValues('# -- What it is.\na: 1\nb: 2\n')).toThrow('b in values.yaml has no description');
    expect(() => readChartValues('a:\n  # -- What it is.\n  b: 1\n  c: 2\n')).toThrow('a.c in values.yaml');
  });
});
