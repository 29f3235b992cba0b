"""`@track` on methods."""

import copy
import dataclasses
import functools
import inspect
import pickle
import weakref

import pytest

from spotzee_logging.tracking import arg, result, track


class Account:
    def __init__(self, user_id):
        self.user_id = user_id

    def __eq__(self, other):
        return isinstance(other, Account) and self.user_id == other.user_id

    __hash__ = object.__hash__

    def before(self, plan: str = "free") -> str:
        """Change the plan."""
        return f"{self.user_id}:{plan}"

    @track("upgraded", external_id=arg.self.user_id, data={"plan": arg.plan, "result": result})
    def upgrade(self, plan: str = "free") -> str:
        """Change the plan."""
        return f"{self.user_id}:{plan}"


class Child(Account):
    def upgrade(self, plan: str = "pro") -> str:
        return "child " + super().upgrade(plan)


EXPECTED = ("upgraded", "u1", {"plan": "pro", "result": "u1:pro"})


def seen(catcher):
    return catcher.one.name, catcher.one.external_id, catcher.one.data


@pytest.mark.parametrize(
    "call",
    [
        lambda: Account("u1").upgrade("pro"),
        lambda: Account("u1").upgrade(plan="pro"),
        lambda: Account.upgrade(Account("u1"), "pro"),
        lambda: Account.upgrade(Account("u1"), plan="pro"),
        lambda: Account.upgrade(self=Account("u1"), plan="pro"),
        lambda: Account.__dict__["upgrade"](Account("u1"), "pro"),
        lambda: Account.__dict__["upgrade"].__get__(Account("u1"), Account)("pro"),
        lambda: Account.upgrade.__get__(Account("u1"), Account)("pro"),
        lambda: functools.partial(Account.upgrade, Account("u1"))("pro"),
    ],
)
def test_every_way_to_call_it_reads_the_same_arguments(catcher, call):
    """Bound, unbound, positional, by keyword: `arg.self` and the others are found."""
    assert "u1:pro" == call()
    assert EXPECTED == seen(catcher)


def test_a_default_counts_as_given(catcher):
    """An argument that was left out is its default."""
    Account("u1").upgrade()

    assert {"plan": "free", "result": "u1:free"} == catcher.one.data


def test_super_reaches_it(catcher):
    """A subclass calls the tracked method of its base."""
    assert "child u1:pro" == Child("u1").upgrade()
    assert EXPECTED == seen(catcher)


def test_it_is_a_method_to_inspect():
    """Signature, binding and names are those of an untracked method."""
    account = Account("u1")
    assert inspect.ismethod(account.upgrade)
    assert inspect.isfunction(Account.upgrade)
    assert inspect.signature(account.before) == inspect.signature(account.upgrade)
    assert inspect.signature(Account.before) == inspect.signature(Account.upgrade)
    assert account is account.upgrade.__self__
    assert ("upgrade", "Account.upgrade") == (account.upgrade.__name__, account.upgrade.__qualname__)
    assert "Change the plan." == account.upgrade.__doc__
    assert account.upgrade == account.upgrade
    assert hash(account.upgrade) == hash(account.upgrade)


def test_a_bound_method_pickles_with_its_instance(catcher):
    """A bound method goes to a worker as it did."""
    bound = pickle.loads(pickle.dumps(Account("u1").upgrade))

    assert "u1:pro" == bound("pro")
    assert EXPECTED == seen(catcher)


def test_a_method_of_the_class_pickles(catcher):
    """So does the function on the class."""
    unbound = pickle.loads(pickle.dumps(Account.upgrade))

    assert "u1:pro" == unbound(Account("u1"), "pro")
    assert EXPECTED == seen(catcher)


def test_copies_of_a_bound_method(catcher):
    """A copy keeps the instance, a deep copy has its own, as for any method."""
    account = Account("u1")

    assert account is copy.copy(account.upgrade).__self__
    assert account is not copy.deepcopy(account.upgrade).__self__
    assert account == copy.deepcopy(account.upgrade).__self__


def test_a_weak_method_is_tracked_still(catcher):
    """Signal libraries keep methods in two parts; what they put together is tracked."""
    account = Account("u1")

    weakref.WeakMethod(account.upgrade)()("pro")

    assert EXPECTED == seen(catcher)


def test_a_bound_method_can_be_decorated(catcher):
    """Tracking a method of one instance finds `arg.self` too."""
    account = Account("u1")
    track("seen", external_id=arg.self.user_id, data={"plan": arg.plan})(account.before)("pro")

    assert ("seen", "u1", {"plan": "pro"}) == seen(catcher)


def test_a_method_set_on_the_class_later_is_tracked(catcher):
    """Monkey-patching a class works."""

    class Late:
        user_id = "u9"

        def go(self, speed): ...

    Late.go = track("went", external_id=arg.self.user_id, data={"speed": arg.speed})(Late.go)
    Late().go(3)

    assert ("went", "u9", {"speed": 3}) == seen(catcher)


def test_a_special_method_is_tracked(catcher):
    """Python's own look-up on the type finds the tracked method."""

    class Box:
        @track("called", external_id="c", data={"n": arg.n})
        def __call__(self, n):
            return n

    assert 4 == Box()(4)
    assert {"n": 4} == catcher.one.data


def test_init_is_the_construction(catcher):
    """Tracking `__init__` leaves the class what it was."""

    class User:
        @track("signed_up", external_id=arg.self.id, data={"late": lambda call: call.arguments["self"].id})
        def __init__(self, id):
            self.id = id

    assert isinstance(User("u1"), User)
    # Arguments are read before the call: `self` had no id yet.
    assert [] == catcher.events

    @dataclasses.dataclass
    class Later:
        id: str

        @track("made", external_id=lambda call: call.arguments["self"].id)
        def __post_init__(self): ...

    Later("u2")
    assert "u2" == catcher.one.external_id


def test_a_dataclass_method_is_no_field(catcher):
    """A dataclass with a tracked method has the same fields, and slots work."""

    @dataclasses.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        name: str = "p"

        @track("moved", external_id=arg.self.name, data={"by": arg.by})
        def moved(self, by):
            return dataclasses.replace(self, x=self.x + by)

    assert Point(3) == Point(1).moved(2)
    assert ["x", "name"] == [field.name for field in dataclasses.fields(Point)]
    assert ("moved", "p", {"by": 2}) == seen(catcher)


def test_beneath_a_property_it_counts_reads(catcher):
    """`@property` over `@track` works; the other order is refused, with the remedy."""

    class Thing:
        @property
        @track("read", external_id="c")
        def value(self):
            return 3

    assert 3 == Thing().value
    assert "read" == catcher.one.name
    with pytest.raises(TypeError, match="below @property"):
        track("x")(property(lambda self: 1))


def test_two_instances_do_not_mix(catcher):
    """Bound methods of two instances read each their own."""
    one, two = Account("u1").upgrade, Account("u2").upgrade
    two("b")
    one("a")

    assert ["u2", "u1"] == [event.external_id for event in catcher.events]


def test_an_abstract_method_stays_abstract():
    """`abc` sees a tracked abstract method."""
    import abc

    class Base(abc.ABC):
        @track("x", external_id="c")
        @abc.abstractmethod
        def go(self): ...

    with pytest.raises(TypeError, match="abstract"):
        Base()
