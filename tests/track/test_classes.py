"""`@track` on classes: the construction is the call."""

import enum
import inspect

import pytest

from spotzee_logging.tracking import arg, result, track


@track("ordered", external_id=arg.customer, data={"id": result.id, "total": arg.total})
class Order:
    """An order."""

    rate = 2

    def __init__(self, customer: str, total: int = 1):
        self.id = "ord_1"
        self.customer = customer
        self.total = total

    @classmethod
    def cheap(cls):
        return cls("c0", 0)

    @staticmethod
    def plain():
        return 7


class Untracked:
    """An order."""

    def __init__(self, customer: str, total: int = 1): ...


def test_construction_is_an_event(catcher):
    """Making an instance is the call, the instance its result."""
    order = Order("c1", 5)

    assert (5, "c1") == (order.total, order.customer)
    assert ("ordered", "c1", {"id": "ord_1", "total": 5}) == (
        catcher.one.name,
        catcher.one.external_id,
        catcher.one.data,
    )


def test_instances_are_instances(catcher):
    """`isinstance`, `issubclass` and `type` go on working."""
    order = Order("c1")

    assert isinstance(order, Order)
    assert not isinstance(3, Order)
    assert issubclass(Order, Order)
    assert Order == type(order)
    assert inspect.isclass(Order)


def test_subclassing(catcher):
    """A subclass can be made, is no tracked class itself, and calls its base."""

    class Special(Order):
        def __init__(self):
            super().__init__("c2", 9)

    special = Special()

    assert 9 == special.total
    assert isinstance(special, Order)
    assert issubclass(Special, Order)
    assert [] == catcher.events


def test_class_attributes_and_methods(catcher):
    """What is on the class is read, and set, through it."""
    assert 2 == Order.rate
    Order.rate = 3
    assert 3 == Order("c").rate
    Order.rate = 2
    assert 7 == Order.plain()
    assert 0 == Order.cheap().total


def test_inspection_sees_the_class():
    """Name, docs and signature are those of the class."""
    assert ("Order", "Order", "An order.") == (Order.__name__, Order.__qualname__, Order.__doc__)
    assert inspect.signature(Untracked) == inspect.signature(Order)


def test_a_misspelt_parameter_is_refused():
    """The parameters are those of the construction."""
    with pytest.raises(TypeError, match="no parameter 'custmer'"):

        @track("x", external_id=arg.custmer)
        class Thing:
            def __init__(self, customer): ...


@pytest.mark.parametrize("decorate", [track, track("failed", external_id="c1")], ids=["bare", "named"])
@pytest.mark.parametrize("base", [Exception, KeyboardInterrupt, enum.Enum, enum.IntFlag])
def test_exceptions_and_enums_are_refused(decorate, base):
    """`except`, iteration and `match` would fail where they are used: it is said where the class is decorated."""
    kind = type(base)("Kind", (base,), type(base).__prepare__("Kind", (base,)))

    with pytest.raises(TypeError, match=r"track: .*Kind.* Track its __init__"):
        decorate(kind)


def test_an_exception_whose_init_is_tracked(catcher):
    """The way that the message names: the event of each one, which is caught as before."""

    class CardDeclined(Exception):
        @track("card_declined", external_id=arg.customer)
        def __init__(self, customer):
            super().__init__(customer)

    with pytest.raises(CardDeclined, match="c1"):
        raise CardDeclined("c1")
    assert "c1" == catcher.one.external_id


def test_a_class_without_init(catcher):
    """A class of no parameters works."""

    @track("made", external_id="c")
    class Empty:
        pass

    assert isinstance(Empty(), Empty)
    assert "made" == catcher.one.name


def test_an_exception_of_the_constructor(catcher):
    """The same exception comes out."""

    @track("failed", external_id="c", on="raise")
    class Failing:
        def __init__(self):
            raise KeyError("no")

    with pytest.raises(KeyError):
        Failing()
    assert "failed" == catcher.one.name


def test_the_name_of_the_event_defaults_to_the_class(catcher):
    """Bare, the event is named after the class."""

    @track(external_id="c")
    class Thing: ...

    Thing()
    assert "Thing" == catcher.one.name


class Picklable:
    @track("made", external_id=arg.id)
    def __init__(self, id):
        self.id = id


def test_instances_pickle_where_init_is_tracked(catcher):
    """The way for classes whose instances are pickled."""
    import pickle

    assert "c1" == pickle.loads(pickle.dumps(Picklable("c1"))).id
    assert "c1" == catcher.one.external_id
