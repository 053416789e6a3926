from services.words.reports import REASONS, VERDICTS
from smime.report import REASONS as KNOWN
from smime.report import Verdict


def test_every_verdict_and_reason_has_its_sentence_and_nothing_else() -> None:
    assert set(VERDICTS) == {verdict.value for verdict in Verdict}
    assert set(REASONS) == set(KNOWN)


def test_sentences_are_sentences() -> None:
    assert all(sentence.endswith(".") for sentence in [*VERDICTS.values(), *REASONS.values()])


def test_valid_promises_no_more_than_is_signed() -> None:
    assert VERDICTS["valid"].startswith("valid:")
    assert "subject, date and recipients are not protected" in VERDICTS["valid"]
