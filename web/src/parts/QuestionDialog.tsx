import {
  Button,
  Checkbox,
  Form,
  FormGroup,
  List,
  ListItem,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextInput,
} from '@patternfly/react-core';
import { useState } from 'react';
import { useQuestions } from '../store/notices';
import { text } from '../text';

/** The question that is to be answered before something is done. */
export function QuestionDialog() {
  const current = useQuestions((state) => state.current);
  return current ? <Dialog key={current.title} {...current} /> : null;
}

type Current = NonNullable<ReturnType<typeof useQuestions.getState>['current']>;

function Dialog({ title, body, items, confirm, isDangerous, typed, choices = [], answer }: Current) {
  const [given, setGiven] = useState(() => Object.fromEntries(choices.map((each) => [each.name, each.initially ?? false])));
  const [word, setWord] = useState('');
  const isReady = typed === undefined || word === typed;
  return (
    <Modal isOpen variant="small" onClose={() => answer(null)} aria-labelledby="question" aria-describedby="question-body">
      <ModalHeader title={title} titleIconVariant={isDangerous ? 'warning' : undefined} labelId="question" />
      <ModalBody id="question-body">
        <p>{body}</p>
        {items && items.length > 0 && (
          <List className="vs-gap">
            {items.map((item) => (
              <ListItem key={item}>{item}</ListItem>
            ))}
          </List>
        )}
        <Form
          className="vs-gap"
          onSubmit={(event) => {
            event.preventDefault();
            if (isReady) answer(given);
          }}
        >
          {choices.map(({ name, label, hint }) => (
            <Checkbox
              key={name}
              id={`question-${name}`}
              label={label}
              description={hint}
              isChecked={given[name] ?? false}
              onChange={(_, value) => setGiven({ ...given, [name]: value })}
            />
          ))}
          {typed !== undefined && (
            <FormGroup label={text.common.typeToConfirm(typed)} fieldId="question-typed">
              <TextInput id="question-typed" value={word} onChange={(_, value) => setWord(value)} autoComplete="off" />
            </FormGroup>
          )}
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button variant={isDangerous ? 'danger' : 'primary'} isDisabled={!isReady} onClick={() => answer(given)}>
          {confirm}
        </Button>
        <Button variant="link" onClick={() => answer(null)}>
          {text.common.cancel}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
