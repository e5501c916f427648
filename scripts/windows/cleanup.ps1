# Removes what split and start left behind, and only that. Options are those of `minibit cleanup`; $env:MINIBIT names another program than the one in the PATH.
$minibit = if ($env:MINIBIT) { $env:MINIBIT } else { 'minibit' }
& $minibit cleanup @args
exit $LASTEXITCODE
