import type { Pod } from '../kube/objects/pod.ts'
import type { CronJob, Job } from '../kube/objects/workload.ts'
import { type ControllerContext, isGenerated, reconcile } from './context.ts'
import { generatedName, indexedBase } from './generated-name.ts'
import { controllerOf, isOwnedBy, ownerReference } from './owner.ts'
import { podOfTemplate } from './pod-of-template.ts'
import { podIndex, reconcilePods } from './pods-of-owner.ts'

/** Minutes since 1970 of the run that is shown, which name the Job: 2024-01-01 00:00 UTC, as there is no clock here. */
const scheduledMinute = 28_401_120

/** Each CronJob has one Job, as if its time had come; none while suspended, or where a dump holds its Jobs. */
export function runCronJobs({ store }: ControllerContext): void {
  const jobs = store.list('Job')
  const hasGiven = (cron: CronJob) => jobs.some((job) => !isGenerated(store, job) && isOwnedBy(job, cron))
  const due = store.list('CronJob').filter((cron) => !cron.spec.suspend && !hasGiven(cron))
  reconcile(
    store,
    jobs.filter((job) => controllerOf(job)?.kind === 'CronJob'),
    due.map(jobOf),
  )
}

function jobOf(cron: CronJob): Job {
  const { metadata = {}, spec } = cron.spec.jobTemplate
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${cron.metadata.name}-${scheduledMinute}`,
      ...(cron.metadata.namespace === undefined ? {} : { namespace: cron.metadata.namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ownerReferences: [ownerReference(cron)],
    },
    spec,
  }
}

/** The pods of a Job that has just started: as many as may run at once. A finished Job of a dump gets none. */
export function runJobs({ store }: ControllerContext): void {
  const index = podIndex(store)
  for (const job of store.list('Job')) {
    reconcilePods(
      store,
      index,
      job,
      (pod) => pod.metadata.labels?.['job-name'] === job.metadata.name,
      (isTaken) => (isIdle(job) ? [] : podsOf(job, isTaken)),
    )
  }
}

function isIdle({ spec, status }: Job): boolean {
  const ended = (status?.conditions ?? []).some(
    (c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True',
  )
  return spec.suspend === true || ended
}

function podsOf(job: Job, isTaken: (name: string) => boolean): readonly Pod[] {
  const { parallelism = 1, completions = Number.POSITIVE_INFINITY, completionMode } = job.spec
  const count = Math.min(parallelism, completions)
  const names = new Set<string>()
  return Array.from({ length: count }, (_, index) => {
    const indexed = completionMode === 'Indexed'
    const base = indexed ? indexedBase(job.metadata.name, index) : `${job.metadata.name}-`
    const name = generatedName(base, `${job.metadata.namespace}/${base}${index}`, (n) => names.has(n) || isTaken(n))
    names.add(name)
    return jobPod(job, name, base, indexed ? index : undefined)
  })
}

function jobPod(job: Job, name: string, generateName: string, index: number | undefined): Pod {
  const label = { 'batch.kubernetes.io/job-name': job.metadata.name, 'job-name': job.metadata.name }
  if (index === undefined) return podOfTemplate(job, job.spec.template, { name, generateName, labels: label })
  const completion = { 'batch.kubernetes.io/job-completion-index': String(index) }
  return podOfTemplate(job, job.spec.template, {
    name,
    generateName,
    labels: { ...label, ...completion },
    annotations: completion,
    spec: { hostname: `${job.metadata.name}-${index}` },
  })
}
