//! The columns that are used, of `user_signals` and of `signal_outcomes`.

/// How the text of a column becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// As a string; a numeric too, because JSON would round it.
    Text,
    /// A whole number that fits a double.
    Whole,
    /// JSON already.
    Json,
    Bool,
    Time,
    /// An array of numeric.
    Numbers,
    /// An array of times.
    Times,
}

/// The columns of a table that are used.
pub trait Columns: Copy + PartialEq + 'static {
    /// The table's name.
    const TABLE: &'static str;
    /// Every column that is used.
    const ALL: &'static [Self];
    /// The column by which a row finds its clients.
    const KEY: Self;

    /// Its place in [`Self::ALL`].
    fn place(self) -> usize;
    /// Its name in the table, and in what clients get.
    fn name(self) -> &'static str;
    /// How its text becomes JSON.
    fn form(self) -> Form;

    /// The column of this name; `None` when it is not used.
    fn by_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|column| column.name() == name)
    }
}

/// The enum of a table's columns, with the name in the table and the form of each: one list.
macro_rules! columns {
    ($(#[$about:meta])* $table:ident of $name:literal by $key:ident: $($column:ident $text:literal $form:ident,)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum $table {
            $($column,)*
        }

        impl Columns for $table {
            const TABLE: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$column),*];
            const KEY: Self = Self::$key;

            fn place(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$column => $text,)*
                }
            }

            fn form(self) -> Form {
                match self {
                    $(Self::$column => Form::$form,)*
                }
            }
        }
    };
}

columns! {
    /// Of `user_signals`.
    Column of "user_signals" by UserId:
    UserId "user_id" Text,
    SignalId "signal_id" Whole,
    Symbol "symbol" Text,
    SignalType "signal_type" Text,
    Tier "tier" Text,
    Confidence "confidence" Text,
    QualityScore "quality_score" Text,
    EntryPrice "entry_price" Text,
    TakeProfit "take_profit" Numbers,
    StopLoss "stop_loss" Text,
    ExpiresAt "expires_at" Time,
    FullDetails "full_details" Bool,
    Metadata "metadata" Json,
    Viewed "viewed" Bool,
    ViewedAt "viewed_at" Time,
    Clicked "clicked" Bool,
    ClickedAt "clicked_at" Time,
    CreatedAt "created_at" Time,
}

columns! {
    /// Of `signal_outcomes`, and of the view of it for subscribers. None is a price: an event is
    /// the same for every client, and prices are for those who have them in their signals.
    OutcomeColumn of "signal_outcomes" by SignalId:
    SignalId "signal_id" Whole,
    Symbol "symbol" Text,
    SignalAt "signal_at" Time,
    State "state" Text,
    VoidWhy "void_why" Text,
    BestTarget "best_target" Whole,
    FirstTouch "first_touch" Text,
    Ended "ended" Text,
    TargetAt "target_at" Times,
    StopAt "stop_at" Time,
    EndedAt "ended_at" Time,
    ReturnsPercent "returns_percent" Numbers,
    LadderPercent "ladder_percent" Text,
    HoldPercent "hold_percent" Text,
    MirrorPercent "mirror_percent" Text,
    MfePercent "mfe_percent" Text,
    MaePercent "mae_percent" Text,
    FeePercent "fee_percent" Text,
    Resolution "resolution" Text,
    Ambiguous "ambiguous" Bool,
    Gap "gap" Bool,
    SupersededAt "superseded_at" Time,
    SettledAt "settled_at" Time,
}
