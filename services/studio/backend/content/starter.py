"""A small assistant to begin with: it greets, says goodbye, and admits what it does not understand. Pure."""

_CONFIG = """\
recipe: default.v1
language: {language}

pipeline:
  - name: WhitespaceTokenizer
  - name: RegexFeaturizer
  - name: LexicalSyntacticFeaturizer
  - name: CountVectorsFeaturizer
  - name: CountVectorsFeaturizer
    analyzer: char_wb
    min_ngram: 1
    max_ngram: 4
  - name: LogisticRegressionClassifier
  - name: FallbackClassifier
    threshold: 0.4

policies:
  - name: MemoizationPolicy
  - name: RulePolicy
    core_fallback_threshold: 0.3
    core_fallback_action_name: action_default_fallback
"""

_DOMAIN = """\
version: "3.1"

intents:
  - greet
  - goodbye
  - nlu_fallback

responses:
  utter_greet:
    - text: Hello! How can I help you?
  utter_goodbye:
    - text: Goodbye.
  utter_not_understood:
    - text: I did not understand that. Could you say it in other words?
  utter_default:
    - text: I do not know what to do now. Let us begin again.

session_config:
  session_expiration_time: 60
  carry_over_slots_to_new_session: true
"""

_NLU = """\
version: "3.1"

nlu:
  - intent: greet
    examples: |
      - hello
      - hi
      - hey there
      - good morning
      - good evening
      - hello, who are you
  - intent: goodbye
    examples: |
      - bye
      - goodbye
      - see you later
      - see you tomorrow
      - that is all, thanks
      - have a nice day
"""

_RULES = """\
version: "3.1"

rules:
  - rule: Greet
    steps:
      - intent: greet
      - action: utter_greet
  - rule: Say goodbye
    steps:
      - intent: goodbye
      - action: utter_goodbye
  - rule: Ask again
    steps:
      - intent: nlu_fallback
      - action: utter_not_understood
"""


def files(language: str) -> dict[str, str]:
    """The files of the starter; its texts are English, whatever the language."""
    return {
        "config.yml": _CONFIG.format(language=language),
        "domain.yml": _DOMAIN,
        "data/nlu.yml": _NLU,
        "data/rules.yml": _RULES,
    }
