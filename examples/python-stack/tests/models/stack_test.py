import pytest

from app.models import EmptyStackError, FullStackError, Stack


def test_a_new_stack_is_empty():
    assert len(Stack()) == 0


def test_items_given_at_the_start_are_pushed_in_order():
    assert list(Stack("abc")) == ["c", "b", "a"]


def test_pop_returns_the_item_pushed_last():
    stack = Stack([1, 2])
    stack.push(3)
    assert [stack.pop(), stack.pop(), stack.pop()] == [3, 2, 1]


def test_peek_leaves_the_item_in_place():
    stack = Stack(["only"])
    assert stack.peek() == "only"
    assert len(stack) == 1


@pytest.mark.parametrize("read", [Stack.pop, Stack.peek], ids=["pop", "peek"])
def test_reading_from_an_empty_stack_is_an_error(read):
    with pytest.raises(EmptyStackError):
        read(Stack())


def test_a_full_stack_refuses_another_item():
    stack = Stack([1, 2], capacity=2)
    with pytest.raises(FullStackError, match="maximum of 2"):
        stack.push(3)
    assert list(stack) == [2, 1]


def test_a_negative_capacity_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Stack(capacity=-1)
