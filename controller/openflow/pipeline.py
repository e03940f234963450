"""Tables and registers: the words in which features speak to each other, and the order of a packet's path."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from controller.openflow.fields import FIELDS, Field

LAST_TABLE = 253        # 254 is Open vSwitch's own, 255 means "all tables"
_HIGHEST_PRIORITY = 0xFFFF


class Register(str):
    """A register: it *is* the name of its field ("reg5"), so it stands wherever a field name may stand.

    `purpose` says what it carries, `bits` how many of its low bits are used, `name` what people call it.
    """

    __slots__ = ("purpose", "bits", "name")
    purpose: str
    bits: int
    name: str

    def __new__(cls, field: str, purpose: str, bits: int = 32, name: str = "") -> Register:
        made = super().__new__(cls, field)
        made.purpose, made.bits, made.name = purpose, bits, name
        return made

    @property
    def field(self) -> Field:
        """The register's field."""
        return FIELDS[str(self)]


class Table:
    """One step of a packet's path. A Table among a flow's actions means "go on there"."""

    __slots__ = ("number", "name", "purpose", "reads", "writes", "levels")

    def __init__(self, number: int, name: str, purpose: str, *, reads: tuple[Register, ...] = (),
                 writes: tuple[Register, ...] = (), levels: Mapping[str, int] | None = None) -> None:
        self.number, self.name, self.purpose = number, name, purpose
        self.reads, self.writes = reads, writes
        self.levels: Mapping[str, int] = MappingProxyType({**(levels or {}), "rest": 0})

    def __repr__(self) -> str:
        return f"{self.name}({self.number})"


class Pipeline:
    """Declares tables in packet order and registers; refuses disorder, so that a mistake shows at import."""

    def __init__(self) -> None:
        self.tables: dict[int, Table] = {}
        self.registers: dict[str, Register] = {}

    def table(self, number: int, name: str, purpose: str, *, reads: tuple[Register, ...] = (),
              writes: tuple[Register, ...] = (), levels: Mapping[str, int] | None = None) -> Table:
        """Declare the next table. `reads` and `writes` are registers, `levels` at most five named priorities.

        Raises ValueError if the number is not above the last one's, a name is used twice, or a register is read
        that no table up to this one writes.
        """
        levels = levels or {}
        if not 0 <= number <= LAST_TABLE:
            raise ValueError(f"{name}: a table's number is 0..{LAST_TABLE}, not {number}")
        if self.tables and number <= max(self.tables):
            raise ValueError(f"{name}: declare tables in packet order, {number} is not above {max(self.tables)}")
        if any(other.name == name for other in self.tables.values()):
            raise ValueError(f"{name}: there is a table of this name")
        if len(levels) > 5 or not all(0 < level <= _HIGHEST_PRIORITY for level in levels.values()):
            raise ValueError(f"{name}: at most five levels, each a priority of 1..{_HIGHEST_PRIORITY}")
        written = {register for table in self.tables.values() for register in table.writes} | set(writes)
        for register in reads:
            if register not in written:
                raise ValueError(f"{name}: reads {register.name or register} before any table writes it")
        self._known(name, (*reads, *writes))
        self.tables[number] = Table(number, name, purpose, reads=reads, writes=writes, levels=levels)
        return self.tables[number]

    def register(self, number: int, purpose: str, *, bits: int = 32, name: str = "") -> Register:
        """Declare register `number` (0..15); it carries `bits` bits. Raises ValueError if it is taken."""
        field = f"reg{number}"
        if field not in FIELDS:
            raise ValueError(f"registers are 0..15, not {number}")
        if field in self.registers:
            raise ValueError(f"{field} is already taken: {self.registers[field].purpose}")
        if not 0 < bits <= 32:
            raise ValueError(f"{field}: bits are 1..32, not {bits}")
        self.registers[field] = Register(field, purpose, bits, name)
        return self.registers[field]

    def _known(self, table: str, registers: tuple[Register, ...]) -> None:
        for register in registers:
            if self.registers.get(register) is not register:
                raise ValueError(f"{table}: register {register} was not declared in this pipeline")

    def name_registers(self, names: Mapping[str, object]) -> None:
        """Give each register without a name the name of the variable that holds it: `name_registers(vars())`."""
        for name, held in names.items():
            if isinstance(held, Register) and not held.name and self.registers.get(held) is held:
                held.name = name

    def table_name(self, number: int) -> str:
        """The name of a table, or its number as text if this pipeline has none of that number."""
        table = self.tables.get(number)
        return table.name if table else str(number)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())
