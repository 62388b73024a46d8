import { Alert, Form, PageSection, Title, Wizard, WizardStep } from '@patternfly/react-core';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { connection } from '../../api/connection';
import { explain } from '../../api/errors';
import type { Pool } from '../../api/types';
import { useForm } from '../../forms/useForm';
import { Busy } from '../../parts/Empty';
import { useCall } from '../../parts/useCall';
import { notify } from '../../store/notices';
import { useVms } from '../../store/vms';
import { text } from '../../text';
import { make, NotStarted } from './make';
import { type Answers, type Doing, plan, PRESETS } from './plan';
import { ComputeStep, GuestStep, MediaStep, NetworkStep, ReviewStep } from './steps';

const NAME = /^[A-Za-z0-9_-]+$/;
const { create } = text;

export default function CreatePage() {
  const pools = useCall<Pool[]>('pool.query');
  if (!pools.data && !pools.error) return <Busy />;
  return <CreateWizard pools={pools.data ?? []} />;
}

function first(pools: readonly Pool[]): Answers {
  const { cores, memory, disk } = PRESETS.linux;
  return {
    preset: 'linux',
    name: '',
    description: '',
    source: 'iso',
    path: '',
    vcpus: 1,
    cores,
    memory,
    disk,
    pool: pools[0]?.name ?? 'default',
    nic: null,
    display: 'SPICE',
    resolution: '1024x768',
    autostart: false,
    start: true,
  };
}

function CreateWizard({ pools }: { pools: readonly Pool[] }) {
  const form = useForm({ ...first(pools) });
  const answers = form.values as unknown as Answers;
  const [doing, setDoing] = useState<Doing | null>(null);
  const [, go] = useLocation();
  const names = useVms((state) => state.list);
  const isTaken = names.some((vm) => vm.name === answers.name);
  const isNamed = NAME.test(answers.name) && !isTaken;
  const hasMedia = answers.source === 'empty' || answers.path.startsWith('/mnt/');
  const hasSizes = answers.memory > 0 && answers.disk > 0 && answers.cores > 0 && answers.vcpus > 0;
  const imageSize = useImageSize(answers);
  useEffect(() => {
    if (imageSize !== null && imageSize > answers.disk) form.set('disk', imageSize);
  }, [imageSize]);

  const submit = async (): Promise<void> => {
    await form.attempt(async () => {
      try {
        const id = await make(plan(answers), setDoing);
        notify('success', create.done(answers.name));
        go(answers.start && answers.display ? `/vm/${id}/display` : `/vm/${id}`);
      } catch (error) {
        if (!(error instanceof NotStarted)) throw error;
        notify('danger', text.action.failed(text.action.start, answers.name), explain(error));
        go(`/vm/${error.id}`);
      }
    });
    setDoing(null);
  };
  const step = (isComplete: boolean) => ({
    footer: { isNextDisabled: !isComplete, nextButtonText: create.next, backButtonText: create.back, cancelButtonText: text.common.cancel },
  });
  const isReady = isNamed && hasMedia && hasSizes;
  const body = (content: React.ReactNode) => (
    <Form className="vs-form" onSubmit={(event) => event.preventDefault()}>
      {content}
    </Form>
  );
  return (
    <>
      <PageSection>
        <Title headingLevel="h1">{create.title}</Title>
        <p className="vs-subtle">{create.subtitle}</p>
      </PageSection>
      <PageSection isFilled type="wizard" aria-label={create.title}>
        <Wizard onClose={() => go('/')} onSave={() => void submit()} navAriaLabel={create.steps} isVisitRequired>
          <WizardStep name={create.guest} id="guest" {...step(isNamed)}>
            {body(<GuestStep form={form} isTaken={isTaken} isWrong={answers.name !== '' && !NAME.test(answers.name)} />)}
          </WizardStep>
          <WizardStep name={create.media} id="media" {...step(hasMedia)} isDisabled={!isNamed} isHidden={answers.source === 'empty'}>
            {body(<MediaStep form={form} source={answers.source} imageSize={imageSize} />)}
          </WizardStep>
          <WizardStep name={create.compute} id="compute" {...step(hasSizes)} isDisabled={!isNamed || !hasMedia}>
            {body(<ComputeStep form={form} pools={pools} />)}
          </WizardStep>
          <WizardStep name={create.network} id="network" {...step(true)} isDisabled={!isReady}>
            {body(<NetworkStep form={form} />)}
          </WizardStep>
          <WizardStep
            name={create.review}
            id="review"
            isDisabled={!isReady}
            footer={{
              nextButtonText: create.submit,
              backButtonText: create.back,
              cancelButtonText: text.common.cancel,
              isNextDisabled: form.isBusy || !isReady,
              nextButtonProps: { isLoading: form.isBusy },
              isBackDisabled: form.isBusy,
              isCancelHidden: form.isBusy,
            }}
          >
            {form.error && (
              <Alert component="p" isInline variant="danger" title={create.failed}>
                {form.error}
              </Alert>
            )}
            {doing && <Alert component="p" isInline variant="info" title={`${create.working}: ${create.doing[doing]}`} />}
            {body(<ReviewStep form={form} answers={answers} />)}
          </WizardStep>
        </Wizard>
      </PageSection>
    </>
  );
}

/** The size of the disk in the chosen image, null without one. */
function useImageSize({ source, path }: Answers): number | null {
  const [size, setSize] = useState<number | null>(null);
  useEffect(() => {
    let isGone = false;
    setSize(null);
    if (source === 'image' && path.startsWith('/mnt/')) {
      connection.call<number>('vm.device.virtual_size', { path }).then(
        (found) => {
          if (!isGone) setSize(found);
        },
        () => undefined,
      );
    }
    return () => {
      isGone = true;
    };
  }, [source, path]);
  return size;
}
