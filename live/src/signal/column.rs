//! The columns of `user_signals` that are used.

/// An enum, the number of its members, and the name of each in the table: one list.
macro_rules! columns {
    ($($column:ident $name:literal,)*) => {
        /// A column that is used.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Column {
            $($column,)*
        }

        impl Column {
            /// Every column that is used.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$column),*];

            /// Its name in the table, and in what clients get.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$column => $name,)*
                }
            }
        }
    };
}

columns! {
    UserId "user_id",
    SignalId "signal_id",
    Symbol "symbol",
    SignalType "signal_type",
    Tier "tier",
    Confidence "confidence",
    QualityScore "quality_score",
    EntryPrice "entry_price",
    TakeProfit "take_profit",
    StopLoss "stop_loss",
    ExpiresAt "expires_at",
    FullDetails "full_details",
    Metadata "metadata",
    Viewed "viewed",
    ViewedAt "viewed_at",
    Clicked "clicked",
    ClickedAt "clicked_at",
    CreatedAt "created_at",
}

impl Column {
    /// The column of this name; `None` when it is not used.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}
