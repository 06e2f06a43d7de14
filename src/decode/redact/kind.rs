//! The kinds of what is taken out. Their names are those of the configuration, the counters and `redact-test`.

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A kind of what is taken out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// All of them, in order.
            pub const ALL: &[Kind] = &[$(Kind::$variant,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// A value whose key says that it is a secret: `password=…`, `"api_key": …`, `Cookie: …`, `<Password>…`.
    Key = "key",
    /// What follows `Bearer` or `Basic`.
    Scheme = "scheme",
    /// A token whose maker is known by how it begins.
    Maker = "maker",
    /// A JSON web token.
    Jwt = "jwt",
    /// A PEM block.
    Pem = "pem",
    /// User and password in an address, and addresses that are a secret themselves.
    Url = "url",
    /// A payment card's number.
    Card = "card",
    /// An international bank account number.
    Iban = "iban",
    /// An e-mail address.
    Email = "email",
    /// A telephone number in international form. Looked for only when asked.
    Phone = "phone",
    /// What a pattern of the operator's matches.
    Pattern = "pattern",
}

impl Kind {
    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// What is looked for unless the operator says otherwise: all but phone numbers, which order numbers look like.
    pub const USUAL: Kinds = Kinds(u16::MAX).without(Kind::Phone);

    /// The set with one more.
    pub const fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | 1 << kind as u16)
    }

    /// The set with one less.
    pub const fn without(self, kind: Kind) -> Kinds {
        Kinds(self.0 & !(1 << kind as u16))
    }

    /// Whether it is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }
}
