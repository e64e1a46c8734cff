from gateway.pace import Pace

TEN = {"num_steps": 10, "batch_size": 1}


def test_nothing_is_expected_before_the_first_answer() -> None:
    assert Pace().expect(TEN) is None


def test_work_is_expected_to_last_as_the_last_answer_did_for_each_step_of_each_picture() -> None:
    pace = Pace()
    pace.note(TEN, 5)
    assert pace.expect({"num_steps": 20, "batch_size": 3}) == 30


def test_what_says_nothing_of_the_pace_changes_nothing() -> None:
    pace = Pace()
    pace.note(TEN, 5)
    pace.note(TEN, None)
    pace.note({"batch_size": 1}, 9)
    pace.note({**TEN, "resume": "AAAA"}, 1)
    assert pace.expect(TEN) == 5
