"""The availability-preserving policy, proven over every order of events."""

from cloudserve.local_server.models.states import State
from cloudserve.local_server.models.transitions import Candidate, Load, Unload, next_action
from hypothesis import given
from hypothesis import strategies as st

START, LOADING, AVAILABLE = State.START, State.LOADING, State.AVAILABLE


def test_the_highest_new_version_is_loaded_first():
    assert next_action([Candidate(1, START, True), Candidate(3, START, True)]) == Load(3)


def test_an_old_version_stays_until_a_new_one_is_available():
    old = Candidate(1, AVAILABLE, False)
    assert next_action([old, Candidate(2, START, True)]) == Load(2)
    assert next_action([old, Candidate(2, LOADING, True)]) is None
    assert next_action([old, Candidate(2, AVAILABLE, True)]) == Unload(1)


def test_an_old_version_stays_when_the_new_one_has_failed():
    assert next_action([Candidate(1, AVAILABLE, False), Candidate(2, State.END, True)]) is None


def test_without_an_aspired_version_all_go_the_lowest_first():
    both = [Candidate(2, AVAILABLE, False), Candidate(1, AVAILABLE, False)]
    assert next_action(both) == Unload(1)
    assert next_action(both[:1]) == Unload(2)


def test_of_several_old_versions_one_is_enough_to_keep():
    old = [Candidate(1, AVAILABLE, False), Candidate(2, AVAILABLE, False)]
    assert next_action([*old, Candidate(3, LOADING, True)]) == Unload(1)


def test_nothing_is_done_when_all_is_as_it_should_be():
    assert next_action([Candidate(1, AVAILABLE, True)]) is None
    assert next_action([]) is None


VERSIONS = st.integers(1, 4)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("aspire"), st.frozensets(VERSIONS, min_size=1)),
        st.tuples(st.just("end a load"), VERSIONS, st.booleans()),
        st.tuples(st.just("end an unload"), VERSIONS),
    ),
    max_size=40,
)


class World:
    """A manager of four versions, in which loads and unloads end when the test says so."""

    def __init__(self):
        self.aspired = frozenset()
        self.states = {}
        self.failed = set()

    def happen(self, event, version, *rest):
        match event:
            case "aspire":
                self.aspired = version
                self.failed &= version
            case "end a load" if self.states.get(version) is LOADING:
                if rest[0]:
                    self.states[version] = AVAILABLE
                else:
                    del self.states[version]
                    self.failed.add(version)
            case "end an unload" if self.states.get(version) is State.UNLOADING:
                del self.states[version]
        while action := next_action(self.candidates()):
            is_load = isinstance(action, Load)
            self.states[action.version] = LOADING if is_load else State.UNLOADING

    def candidates(self):
        new = self.aspired - self.states.keys()
        return [
            *(Candidate(v, s, v in self.aspired) for v, s in self.states.items()),
            *(Candidate(v, State.END if v in self.failed else START, True) for v in new),
        ]

    def available(self):
        return {version for version, state in self.states.items() if state is AVAILABLE}


@given(EVENTS)
def test_a_model_that_is_wanted_and_served_is_served_ever_after(events):
    world = World()
    was_served = False
    for event in events:
        world.happen(*event)
        was_served = was_served or bool(world.available())
        assert bool(world.available()) == was_served
