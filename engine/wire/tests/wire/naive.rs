//! A naive codec: a tree of values, written and read recursively, and strategies that make such trees.

use logtank_wire::inbound::{Inbound, InboundLimits, ProtocolError};
use logtank_wire::kind::Kind;
use logtank_wire::message::{Dialect, Message, MessageKind};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(u8),
    Byte(u8),
    /// Its bits, so that NaNs can be compared.
    Double(u64),
    I16(i16),
    I32(i32),
    I64(i64),
    String(Vec<u8>),
    Struct(Vec<(i16, Value)>),
    Map(Kind, Kind, Vec<(Value, Value)>),
    Set(Kind, Vec<Value>),
    List(Kind, Vec<Value>),
}

impl Value {
    pub(crate) fn string(text: &str) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Byte(_) => Kind::Byte,
            Self::Double(_) => Kind::Double,
            Self::I16(_) => Kind::I16,
            Self::I32(_) => Kind::I32,
            Self::I64(_) => Kind::I64,
            Self::String(_) => Kind::String,
            Self::Struct(_) => Kind::Struct,
            Self::Map(..) => Kind::Map,
            Self::Set(..) => Kind::Set,
            Self::List(..) => Kind::List,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) | Self::Byte(value) => out.push(*value),
            Self::Double(value) => out.extend(value.to_be_bytes()),
            Self::I16(value) => out.extend(value.to_be_bytes()),
            Self::I32(value) => out.extend(value.to_be_bytes()),
            Self::I64(value) => out.extend(value.to_be_bytes()),
            Self::String(value) => {
                out.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                out.extend(value);
            }
            Self::Struct(fields) => {
                for (id, value) in fields {
                    out.push(value.kind().code());
                    out.extend(id.to_be_bytes());
                    value.write(out);
                }
                out.push(0);
            }
            Self::Map(key, value, entries) => {
                out.extend([key.code(), value.code()]);
                out.extend(i32::try_from(entries.len()).unwrap().to_be_bytes());
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Self::Set(kind, values) | Self::List(kind, values) => {
                out.push(kind.code());
                out.extend(i32::try_from(values.len()).unwrap().to_be_bytes());
                values.iter().for_each(|value| value.write(out));
            }
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads the value at the beginning of `bytes`, which must be there.
    pub(crate) fn read(kind: Kind, bytes: &mut &[u8]) -> Self {
        fn array<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
            let (array, rest) = bytes.split_first_chunk().unwrap();
            *bytes = rest;
            *array
        }
        fn length(bytes: &mut &[u8]) -> usize {
            usize::try_from(i32::from_be_bytes(array(bytes))).unwrap()
        }
        let kind_of = |code: [u8; 1]| Kind::from_code(code[0]).unwrap();
        match kind {
            Kind::Bool => Self::Bool(array::<1>(bytes)[0]),
            Kind::Byte => Self::Byte(array::<1>(bytes)[0]),
            Kind::Double => Self::Double(u64::from_be_bytes(array(bytes))),
            Kind::I16 => Self::I16(i16::from_be_bytes(array(bytes))),
            Kind::I32 => Self::I32(i32::from_be_bytes(array(bytes))),
            Kind::I64 => Self::I64(i64::from_be_bytes(array(bytes))),
            Kind::String => {
                let length = length(bytes);
                let (string, rest) = bytes.split_at(length);
                *bytes = rest;
                Self::String(string.to_vec())
            }
            Kind::Struct => {
                let mut fields = Vec::new();
                loop {
                    let code: [u8; 1] = array(bytes);
                    if code == [0] {
                        return Self::Struct(fields);
                    }
                    let id = i16::from_be_bytes(array(bytes));
                    fields.push((id, Self::read(kind_of(code), bytes)));
                }
            }
            Kind::Map => {
                let (key, value) = (kind_of(array(bytes)), kind_of(array(bytes)));
                let entries = (0..length(bytes)).map(|_| (Self::read(key, bytes), Self::read(value, bytes)));
                Self::Map(key, value, entries.collect())
            }
            Kind::Set | Kind::List => {
                let element = kind_of(array(bytes));
                let values = (0..length(bytes)).map(|_| Self::read(element, bytes)).collect();
                if kind == Kind::Set { Self::Set(element, values) } else { Self::List(element, values) }
            }
        }
    }
}

/// A message that owns its parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owned {
    pub(crate) dialect: Dialect,
    pub(crate) kind: MessageKind,
    pub(crate) name: Vec<u8>,
    pub(crate) sequence: i32,
    pub(crate) body: Vec<u8>,
}

impl Owned {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        Self {
            dialect: message.dialect,
            kind: message.kind,
            name: message.name.to_vec(),
            sequence: message.sequence,
            body: message.body.to_vec(),
        }
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message {
            dialect: self.dialect,
            kind: self.kind,
            name: &self.name,
            sequence: self.sequence,
            body: &self.body,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            MessageKind::Call => 1,
            MessageKind::Reply => 2,
            MessageKind::Exception => 3,
            MessageKind::Oneway => 4,
        };
        let mut out = Vec::new();
        if self.dialect.strict {
            out.extend([0x80, 1, 0, kind]);
        }
        Value::String(self.name.clone()).write(&mut out);
        if !self.dialect.strict {
            out.push(kind);
        }
        out.extend(self.sequence.to_be_bytes());
        out.extend(&self.body);
        if self.dialect.framed { Value::String(out).bytes() } else { out }
    }
}

pub(crate) const LIMITS: InboundLimits = InboundLimits { message_bytes_max: 16 << 20, depth_max: 32 };

/// What `inbound` finds in `bytes` that come in these portions.
pub(crate) fn receive<'b>(
    inbound: &mut Inbound,
    portions: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<Owned>, Option<ProtocolError>) {
    let mut found = Vec::new();
    let mut received = 0;
    for portion in portions {
        let mut input = portion;
        received += portion.len();
        loop {
            match inbound.next(&mut input) {
                Ok(Some(message)) => found.push(Owned::of(&message)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(inbound.next(&mut input).unwrap_err(), error, "an error is final");
                    assert_eq!(inbound.pending_bytes(), 0, "nothing is kept after an error");
                    return (found, Some(error));
                }
            }
        }
        assert!(input.is_empty(), "all is taken when nothing more is found");
        assert!(inbound.pending_bytes() <= received);
    }
    (found, None)
}

pub(crate) fn receive_at_once(bytes: &[u8]) -> (Vec<Owned>, Option<ProtocolError>) {
    receive(&mut Inbound::new(LIMITS), [bytes])
}

/// The only message in `bytes`.
pub(crate) fn only_message(bytes: &[u8]) -> Owned {
    let (mut found, error) = receive_at_once(bytes);
    assert_eq!((found.len(), &error), (1, &None), "{:x?}", &bytes[..bytes.len().min(100)]);
    found.pop().unwrap()
}

pub(crate) fn any_dialect() -> impl Strategy<Value = Dialect> {
    (any::<bool>(), any::<bool>()).prop_map(|(strict, framed)| Dialect { strict, framed })
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(&[2u8, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15][..])
        .prop_map(|code| Kind::from_code(code).unwrap())
}

fn value_of(kind: Kind, depth: u32) -> BoxedStrategy<Value> {
    let some = 0..if depth == 0 { 1 } else { 4usize };
    let inner = depth.saturating_sub(1);
    match kind {
        Kind::Bool => (0..3u8).prop_map(Value::Bool).boxed(),
        Kind::Byte => any::<u8>().prop_map(Value::Byte).boxed(),
        Kind::Double => any::<u64>().prop_map(Value::Double).boxed(),
        Kind::I16 => any::<i16>().prop_map(Value::I16).boxed(),
        Kind::I32 => any::<i32>().prop_map(Value::I32).boxed(),
        Kind::I64 => any::<i64>().prop_map(Value::I64).boxed(),
        Kind::String => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::String).boxed(),
        Kind::Struct => any_struct(some, inner).boxed(),
        Kind::Map => (any_kind(), any_kind())
            .prop_flat_map(move |(key, value)| {
                let entries =
                    prop::collection::vec((value_of(key, inner), value_of(value, inner)), some.clone());
                entries.prop_map(move |entries| Value::Map(key, value, entries))
            })
            .boxed(),
        Kind::Set | Kind::List => any_kind()
            .prop_flat_map(move |element| {
                prop::collection::vec(value_of(element, inner), some.clone()).prop_map(move |values| {
                    if kind == Kind::Set { Value::Set(element, values) } else { Value::List(element, values) }
                })
            })
            .boxed(),
    }
}

pub(crate) fn any_value(depth: u32) -> impl Strategy<Value = Value> {
    any_kind().prop_flat_map(move |kind| value_of(kind, depth))
}

fn any_struct(fields: std::ops::Range<usize>, depth: u32) -> impl Strategy<Value = Value> {
    prop::collection::vec((-2..12i16, any_value(depth)), fields).prop_map(Value::Struct)
}

/// A message with arguments of any shape.
pub(crate) fn any_message(dialect: Dialect) -> impl Strategy<Value = Owned> {
    let kinds = [MessageKind::Call, MessageKind::Reply, MessageKind::Exception, MessageKind::Oneway];
    (prop::sample::select(kinds.to_vec()), "[a-z_]{1,20}", any::<i32>(), any_struct(0..5, 4)).prop_map(
        move |(kind, name, sequence, body)| Owned {
            dialect,
            kind,
            name: name.into(),
            sequence,
            body: body.bytes(),
        },
    )
}
